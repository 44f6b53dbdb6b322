/** A sender of signed webhooks that behaves as real ones do: keep-alive connections, and the same message again until a 2xx. */
import { createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Message } from './events.ts';

export interface SenderOptions {
  /** Of the receiver, with the source. */
  readonly url: string;
  /** The bytes of the shared secret. */
  readonly key: Buffer;
  readonly connections: number;
  readonly onAnswer: (answer: Answer) => void;
}

export interface Answer {
  readonly status: 'accepted' | 'duplicate';
  /** From the request's first byte to the last of the answer. */
  readonly tookMs: number;
  /** Attempts before this one. */
  readonly retries: number;
}

export interface Sender {
  /** Sends all, in this order, over all connections; resolves when each was acknowledged. Throws for a refusal, or no 2xx within a minute. */
  sendAll(messages: readonly Message[]): Promise<void>;
  close(): void;
}

const GIVE_UP_MS = 60_000;
const MAX_WAIT_MS = 2_000;

export function createSender({ url, key, connections, onAnswer }: SenderOptions): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' });
  const { hostname, port, pathname } = new URL(url);

  /** The status of one attempt; rejects when the connection breaks. */
  function attempt(message: Message): Promise<{ status: number; body: string }> {
    const stamp = Math.floor(Date.now() / 1_000);
    const signature = createHmac('sha256', key).update(`${message.id}.${stamp}.${message.body}`).digest('base64');
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(message.body),
      'webhook-id': message.id,
      'webhook-timestamp': stamp,
      'webhook-signature': `v1,${signature}`,
    };
    return new Promise((resolve, reject) => {
      const sent = request({ agent, hostname, port, path: pathname, method: 'POST', headers }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(message.body);
    });
  }

  async function deliver(message: Message): Promise<void> {
    const first = performance.now();
    for (let retries = 0; ; retries++) {
      const started = performance.now();
      // A broken connection is as good as a 503: nobody knows whether it was taken in, so it is sent again.
      const { status, body } = await attempt(message).catch((error: unknown) => ({ status: 0, body: String(error) }));
      if (status === 202 || status === 200) {
        onAnswer({ status: status === 202 ? 'accepted' : 'duplicate', tookMs: performance.now() - started, retries });
        return;
      }
      const hopeless = status !== 0 && status !== 429 && status !== 503;
      if (hopeless || performance.now() - first > GIVE_UP_MS)
        throw new Error(`the receiver answered ${message.id} with ${status}: ${body}`);
      await sleep(Math.min(MAX_WAIT_MS, 50 * 2 ** retries));
    }
  }

  return {
    async sendAll(messages) {
      let next = 0;
      const work = async (): Promise<void> => {
        for (let message = messages[next++]; message !== undefined; message = messages[next++]) await deliver(message);
      };
      await Promise.all(Array.from({ length: connections }, work));
    },
    close: () => agent.destroy(),
  };
}
