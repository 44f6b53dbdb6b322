/** A gateway on loopback that hears what became of its events. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Heard {
  readonly id: string;
  readonly verdict: string;
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
  readonly atMs: number;
}

export interface Gateway {
  /** What stands before `/<event id>/ack`. */
  readonly url: string;
  /** What it answered 2xx to, and all requests. */
  readonly heard: Heard[];
  readonly asked: Heard[];
  /** Decides what is answered; false: it has answered by itself. Default: 204. */
  answer: ((heard: Heard, response: ServerResponse) => number | false) | undefined;
  /** The verdicts that it took on each event, each once. */
  verdicts(): Record<string, string>;
  close(): Promise<void>;
}

export async function openGateway(): Promise<Gateway> {
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      const [, id = '', verdict = ''] = /^\/events\/([^/]+)\/([^/]+)$/.exec(request.url ?? '') ?? [];
      const told: Heard = {
        id: decodeURIComponent(id),
        verdict: `${request.method} ${verdict}`,
        body: JSON.parse(text),
        headers: request.headers,
        atMs: performance.now(),
      };
      gateway.asked.push(told);
      const status = gateway.answer?.(told, response) ?? 204;
      if (status === false) return;
      if (status < 300) gateway.heard.push(told);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const gateway: Gateway = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    heard: [],
    asked: [],
    answer: undefined,
    verdicts() {
      const all = new Map<string, Set<string>>();
      for (const { id, verdict } of gateway.heard) all.set(id, (all.get(id) ?? new Set()).add(verdict));
      return Object.fromEntries([...all].map(([id, verdicts]) => [id, [...verdicts].sort().join(', ')]));
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return gateway;
}
