/** A TCP proxy before Neo4j that loses what it is told to lose. */
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface BoltProxy {
  readonly uri: string;
  /** Once: forwards the next COMMIT, waits for the answer, and cuts the connection instead of passing it on. Resolves when that is done. */
  loseCommit(): Promise<void>;
  /** Once: cuts the connection when the client sends this text, which is not passed on. Resolves when that is done. */
  cutAt(text: string): Promise<void>;
  /** Drops every connection and refuses new ones. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  /** Passes nothing on in either direction, and keeps every connection: what a stopped server looks like. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

/** A chunk of two bytes: an empty structure with the signature of COMMIT. */
const COMMIT = Buffer.from([0x00, 0x02, 0xb0, 0x12, 0x00, 0x00]);

export async function startBoltProxy(target: string): Promise<BoltProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let armed: { readonly at: Buffer; readonly answered: boolean; readonly done: () => void } | undefined;
  let server: Server;
  let own = 0;
  let frozen = false;

  function relay(client: Socket): void {
    const upstream = createConnection(Number(port), hostname);
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    let dropped: (() => void) | undefined;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      if (frozen) socket.pause();
      socket.on('error', cut).on('close', () => {
        sockets.delete(socket);
        cut();
      });
    }
    client.on('data', (data) => {
      if (armed === undefined || !data.includes(armed.at)) return void upstream.write(data);
      const { answered, done } = armed;
      armed = undefined;
      if (answered) {
        dropped = done;
        upstream.write(data);
      } else {
        cut();
        done();
      }
    });
    upstream.on('data', (data) => {
      if (dropped === undefined) return void client.write(data);
      cut();
      dropped();
    });
  }

  const listen = async (): Promise<void> => {
    server = createServer(relay);
    await new Promise<void>((resolve) => server.listen(own, '127.0.0.1', resolve));
    own = (server.address() as AddressInfo).port;
  };
  const stop = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const arm = (at: Buffer, answered: boolean): Promise<void> => new Promise((done) => (armed = { at, answered, done }));

  await listen();
  return {
    uri: `bolt://127.0.0.1:${own}`,
    loseCommit: () => arm(COMMIT, true),
    cutAt: (text) => arm(Buffer.from(text), false),
    refuse: stop,
    accept: listen,
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    close: stop,
  };
}
