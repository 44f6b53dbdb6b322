/** docs/guides/convergence.md as stories that run: the events of each, and the graph that the page prints below them. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { loadModel } from '../../src/cli/load-model.ts';
import { parseJson } from '../../src/json.ts';
import { commerce } from '../../src/model/commerce.ts';
import { readEnvelope, type Envelope } from '../../src/model/envelope.ts';
import { showGraph, type PublicGraph } from '../../src/model/graph.ts';
import type { Model } from '../../src/model/model.ts';

/** The source that the page says its events come from. */
export const GUIDE_SOURCE = 'shop';

export interface GuideEvent {
  readonly source: string;
  readonly id: string;
  readonly body: string;
  readonly bodyHash: string;
  readonly mapped: Envelope;
}

export interface GuideStory {
  /** The heading that it stands under. */
  readonly name: string;
  /** Whether that is a heading of a story (####), or of a chapter. */
  readonly isStory: boolean;
  readonly model: Model;
  readonly events: readonly GuideEvent[];
  /** As `printGraph` prints it. */
  readonly graph: readonly string[];
}

/** How the page writes an empty graph. */
const NOTHING = '(nothing)';

const BLOCK = /^```(\w*)([^\n]*)\n([\s\S]*?)^```$/gm;

/** All of the page, in order. Throws where an event is no envelope, or a graph has no events. */
export async function readGuide(): Promise<readonly GuideStory[]> {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/guides/convergence.md'), 'utf8');
  const own = await loadCode(/^```ts\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? '');
  const stories: GuideStory[] = [];
  let told: Pick<GuideStory, 'model' | 'events'> | undefined;
  for (const { 0: block, 1: language, 2: info = '', 3: text = '', index } of page.matchAll(BLOCK)) {
    if (language === 'json') told = { model: info.trim() === 'own' ? own : commerce, events: bodiesOf(text).map(eventOf) };
    else if (language === 'graph') {
      const heading = page
        .slice(0, index)
        .match(/^#{2,4} .*$/gm)
        ?.at(-1);
      if (told === undefined || heading === undefined) throw new Error(`a graph of no events: ${block}`);
      stories.push({ ...told, name: heading.replace(/^#+ /, ''), isStory: heading.startsWith('####'), graph: linesOf(text) });
      told = undefined;
    }
  }
  return stories;
}

/** Sorted lines for people: integers plain, events by their key. */
export function printGraph(graph: PublicGraph): string[] {
  return showGraph(graph)
    .map((line) => (line.startsWith('parked') ? line.replace(/#.*$/, '') : line.replaceAll(/(?<=: )(-?\d+)n/g, '$1')))
    .sort();
}

function linesOf(text: string): string[] {
  return text.trim() === NOTHING ? [] : text.trim().split('\n').sort();
}

/** An event begins on a line of its own and may go on below it. */
function bodiesOf(text: string): string[] {
  return text
    .split(/^(?=\{)/m)
    .map((body) => body.trim())
    .filter((body) => body !== '');
}

function eventOf(body: string): GuideEvent {
  const mapped = readEnvelope(parseJson(body));
  return { source: GUIDE_SOURCE, id: mapped.id, body, bodyHash: createHash('sha256').update(body).digest('hex'), mapped };
}

/** The model that the page declares, loaded as a user's file would be. */
async function loadCode(code: string): Promise<Model> {
  const dir = mkdtempSync(join(tmpdir(), 'eventgraft-guide-'));
  try {
    const file = join(dir, 'model.ts');
    writeFileSync(file, code);
    return (await loadModel(file)).model;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
