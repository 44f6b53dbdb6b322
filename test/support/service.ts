/** The built CLI as real processes, to be signalled and killed. `npm test` builds dist before. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';

import type { Stats } from '../../src/event.ts';
import type { Neo4jAccess } from '../../src/runtime/runtime.ts';
import { keepAccount, sheetOf } from './account.ts';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
export const ADMIN_TOKEN = 'test-admin-token-test-admin-token-test';

export interface Where {
  readonly neo4j: Neo4jAccess;
  readonly redisUrl: string;
  readonly prefix: string;
  readonly secret: string;
}

export interface Service {
  readonly url: string;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Everything it logged so far. */
  log(): string;
}

export function newSecret(): string {
  return `whsec_${randomBytes(24).toString('base64')}`;
}

/** Starts `serve` or `work` and resolves when it says that it has started. */
export async function startService(role: 'serve' | 'work', where: Where, extra: Readonly<Record<string, string>> = {}): Promise<Service> {
  const child = spawn(process.execPath, [CLI, role], {
    env: {
      ...process.env,
      NEO4J_URI: where.neo4j.uri,
      NEO4J_USERNAME: where.neo4j.username,
      NEO4J_PASSWORD: where.neo4j.password,
      NEO4J_DATABASE: where.neo4j.database,
      REDIS_URL: where.redisUrl,
      EVENTGRAFT_QUEUE_PREFIX: where.prefix,
      WEBHOOK_SECRET_FACTS: where.secret,
      ADMIN_TOKEN,
      HOST: '127.0.0.1',
      PORT: '0',
      EVENTGRAFT_LOG_LEVEL: 'info',
      EVENTGRAFT_MAX_LAG: '0', // Tests share the machine.
      ...extra,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let log = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      const found = /"url":"([^"]+)".*"msg":"service\.started"/.exec(log);
      if (found?.[1] !== undefined) resolve(found[1]);
    });
    child.once('exit', (code) => reject(new Error(`${role} ended with ${code}: ${log}`)));
  });
  const closeAccount = openAccount(where);
  void gone.then(closeAccount);
  return { url, log: () => log, kill: (signal = 'SIGTERM') => end(child, signal, gone) };
}

const accounts = new Map<string, { services: number; readonly close: () => void }>();

/** One for all services of a queue: it is asked for after each test that ends while any of them runs. */
function openAccount(where: Where): () => void {
  const account = accounts.get(where.prefix) ?? { services: 0, close: keepAccount(sheetOf(where, where.neo4j)) };
  accounts.set(where.prefix, account);
  account.services += 1;
  return () => {
    account.services -= 1;
    if (account.services > 0) return;
    accounts.delete(where.prefix);
    account.close();
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals, gone: Promise<void>): Promise<void> {
  child.kill(signal);
  await gone;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A sender like any other: signs by Standard Webhooks, and delivers again while it gets no 2xx or 4xx. */
export function createSender(secret: string, urlOf: () => string, connections = 16) {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  /** How often each status was the answer to any try; 0: no answer. */
  const answers = new Map<number, number>();

  async function deliver(id: string, body: string): Promise<Answer> {
    for (;;) {
      const answer = await post(id, body).catch((error: Error) => ({ status: 0, body: error.message }));
      answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
      if (answer.status !== 0 && answer.status !== 503) return answer;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  function post(id: string, body: string): Promise<Answer> {
    const stamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', key).update(`${id}.${stamp}.${body}`).digest('base64');
    return new Promise((resolve, reject) => {
      const req = request(
        `${urlOf()}/webhooks/facts`,
        {
          method: 'POST',
          agent,
          headers: {
            'content-type': 'application/json',
            'webhook-id': id,
            'webhook-timestamp': stamp,
            'webhook-signature': `v1,${signature}`,
          },
        },
        (res) => {
          let text = '';
          res
            .setEncoding('utf8')
            .on('data', (part: string) => (text += part))
            .on('end', () => resolve({ status: res.statusCode ?? 0, body: text }))
            .on('error', reject);
        },
      );
      req.on('error', reject);
      req.end(body);
    });
  }

  return { post, deliver, answers, close: () => agent.destroy() };
}

export async function statsOf(url: string, token = ADMIN_TOKEN): Promise<Stats> {
  const response = await fetch(`${url}/admin/stats`, { headers: { 'x-admin-token': token } });
  if (response.status !== 200) throw new Error(`stats: ${response.status} ${await response.text()}`);
  return (await response.json()) as Stats;
}

/** Waits until nothing is queued; throws after the timeout with the last numbers. */
export async function drained(url: string, timeoutMs = 150_000, token = ADMIN_TOKEN): Promise<Stats> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const stats = await statsOf(url, token).catch(() => undefined);
    if (stats?.queued === 0) return stats;
    if (Date.now() > until) throw new Error(`not drained: ${JSON.stringify(stats)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
