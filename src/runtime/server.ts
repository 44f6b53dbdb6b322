/** One server that can be stopped, killed and started again at the same address: what an outage test needs. */

import { lostThePort } from './net.ts';
import type { Supervised } from './supervised.ts';

const PORT_ATTEMPTS = 5;

/** How one kind of local server is started; `P` are the ports that it listens on. */
export interface LocalServer<P> {
  readonly name: string;
  pickPorts(preferred?: P): Promise<P>;
  /** Resolves when it answers. */
  start(ports: P): Promise<Supervised>;
}

export interface RunningServer<P> {
  readonly ports: P;
  /** In order, data kept. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL, data kept as a crash leaves it. Idempotent. */
  kill(): Promise<void>;
  /** At the same ports. Idempotent. */
  start(): Promise<void>;
}

/** Starts a server on free ports (`preferred` if they are), and tries others if somebody takes them in between. */
export async function runServer<P>(server: LocalServer<P>, preferred?: P): Promise<RunningServer<P>> {
  let ports = await server.pickPorts(preferred);
  let running: Supervised | undefined;
  for (let attempt = 1; running === undefined; attempt += 1) {
    try {
      running = await server.start(ports);
    } catch (error) {
      if (attempt === PORT_ATTEMPTS || !lostThePort(error)) throw error;
      ports = await server.pickPorts();
    }
  }
  let current = running;
  return {
    ports,
    stop: () => current.stop(),
    kill: () => current.kill(),
    async start() {
      if (!current.running()) current = await server.start(ports);
    },
  };
}
