/** openapi.json as one HTML page: no scripts, nothing from elsewhere, everything escaped. */
import { createHash } from 'node:crypto';

import type { OpenApi, Operation } from './openapi.ts';

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --soft: color-mix(in srgb, currentColor 6%, transparent) }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) }
code, pre { font: 14px/1.45 ui-monospace, monospace } pre { background: var(--soft); padding: .8rem; overflow-x: auto; border-radius: .3rem }
details { border: 1px solid var(--line); border-radius: .3rem; margin: .5rem 0; padding: 0 .8rem } summary { cursor: pointer; padding: .5rem 0 }
summary b { display: inline-block; min-width: 3.2rem } .soft { opacity: .7 }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-top: 1px solid var(--line) }
`;

/** The page needs its own style and nothing else. */
export const DOCS_CSP = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export function renderDocs(document: OpenApi): string {
  const { info, paths, components } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => renderOperation(method, path, operation)),
  );
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="${escape(name)}"><summary><code>${escape(name)}</code></summary><pre>${escape(JSON.stringify(schema, null, 2))}</pre></details>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(info.title)} API</title><style>${STYLE}</style></head>
<body><h1>${escape(info.title)}</h1><p class="soft">API ${escape(info.version)} · <a href="openapi.json">openapi.json</a></p><p>${prose(info.description)}</p>
<h2>Paths</h2>${operations.join('\n')}
<h2>Schemas</h2>${schemas.join('\n')}
</body></html>
`;
}

function renderOperation(method: string, path: string, operation: Operation): string {
  const { summary, description, security, parameters, responses } = operation;
  return `<details><summary><b>${escape(method.toUpperCase())}</b> <code>${escape(path)}</code> <span class="soft">${escape(summary)}</span></summary>
${typeof description === 'string' ? `<p>${prose(description)}</p>` : ''}${security === undefined ? '' : '<p>Needs the header <code>X-Admin-Token</code>.</p>'}
${renderParameters(parameters)}${table(
    ['Status', 'Answer', 'Body'],
    Object.entries(responses).map(([status, answer]) => [escape(status), prose(String(answer['description'])), schemaLink(answer)]),
  )}</details>`;
}

function renderParameters(parameters: unknown): string {
  if (!Array.isArray(parameters)) return '';
  const rows = parameters.map((one: Readonly<Record<string, unknown>>) => [
    `<code>${escape(String(one['name']))}</code>`,
    escape(String(one['in'])),
    prose(String(one['description'])),
    `<code>${escape(JSON.stringify(one['schema']))}</code>`,
  ]);
  return table(['Parameter', 'In', 'Meaning', 'Form'], rows);
}

function schemaLink(answer: Readonly<Record<string, unknown>>): string {
  const name = /"#\/components\/schemas\/(\w+)"/.exec(JSON.stringify(answer))?.[1];
  return name === undefined ? '' : `<a href="#${escape(name)}">${escape(name)}</a>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]): string => `<tr>${row.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table>`;
}

/** Text with \`code\` in it. */
function prose(text: string): string {
  return escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (c) => ENTITIES[c] ?? c);
}
