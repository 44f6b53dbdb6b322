/** HTTP as bytes: what no well-behaved client would send, and the answer to it. */
import { connect, type Socket } from 'node:net';

export interface WireAnswer {
  /** 0: the connection ended without an answer. */
  readonly status: number;
  readonly body: string;
}

/** No answer within the time. */
export class Silence extends Error {}

export interface Wire {
  /** Sends the bytes, on the same connection as before where that is still open. Rejects with `Silence`. */
  send(bytes: Buffer, timeoutMs?: number): Promise<WireAnswer>;
  /** Leaves at once, with a reset: thousands of connections must not wait out their minute. */
  drop(): void;
}

export type Headers = readonly (readonly [name: string, value: string])[];

/** Header text is taken as UTF-8, as naughty senders do. `content-length` is added. */
export function requestBytes(path: string, headers: Headers, body: Buffer, method = 'POST'): Buffer {
  const lines = [...headers, ['content-length', String(body.length)] as const].map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`), body]);
}

const TIMEOUT_MS = 15_000;

export function createWire(url: string): Wire {
  const { hostname, port } = new URL(url);
  let socket: Socket | undefined;
  const drop = (): void => {
    socket?.resetAndDestroy();
    socket = undefined;
  };
  return {
    drop,
    send(bytes, timeoutMs = TIMEOUT_MS) {
      const isHead = bytes.subarray(0, 5).toString('latin1') === 'HEAD ';
      const to = (socket ??= connect(Number(port), hostname).setNoDelay(true));
      return new Promise((resolve, reject) => {
        let text = '';
        const timer = setTimeout(() => leave(() => reject(new Silence(`no answer within ${timeoutMs} ms`)), true), timeoutMs);
        const onData = (chunk: Buffer): void => {
          text = (text + chunk.toString('latin1')).replace(/^HTTP\/1\.1 1\d\d [^]*?\r\n\r\n/, '');
          const end = text.indexOf('\r\n\r\n');
          const length = isHead ? '0' : /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
          if (end < 0 || length === undefined || text.length < end + 4 + Number(length)) return;
          const answer = { status: Number(text.slice(9, 12)), body: text.slice(end + 4, end + 4 + Number(length)) };
          leave(() => resolve(answer), /\r\nconnection: close/i.test(text.slice(0, end)));
        };
        // An answer of unknown length ends with the connection.
        const onClose = (): void => leave(() => resolve({ status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0), body: '' }), true);
        const leave = (then: () => void, isOver: boolean): void => {
          clearTimeout(timer);
          to.off('data', onData).off('close', onClose);
          if (isOver) drop();
          then();
        };
        to.on('data', onData).on('close', onClose);
        if (to.listenerCount('error') === 0) to.on('error', () => {}); // A close follows, and says enough.
        to.write(bytes);
      });
    },
  };
}
