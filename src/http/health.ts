/**
 * Whether to send traffic here. `serve` and `dev`: while events can be made durable, whatever Neo4j does. `work`: unless
 * there is work and nothing was committed for a minute.
 */
import { formatMs } from '../model/instant.ts';
import type { Readiness } from './schemas.ts';

export type Role = Readiness['role'];

/** Each may throw or hang: then its answer is "away". */
export interface Probes {
  /** What a 2xx is worth: the durability tier. Throws when an event could not be made durable now. */
  durability(): Promise<string>;
  queued(): Promise<number>;
  /** Throws while Neo4j is away. */
  graph(): Promise<void>;
  /** The epoch of the queue and the one that the graph knows; undefined where there is none yet. */
  queueEpoch(): Promise<string | undefined>;
  graphEpoch(): Promise<string | undefined>;
  /** Milliseconds since the epoch of the last commit, or of the worker's start; undefined without a worker. */
  lastCommitMs(): number | undefined;
}

export interface Health {
  readiness(): Promise<Readiness>;
}

export interface HealthOptions {
  readonly now?: () => number;
  readonly timeoutMs?: number;
}

/** Nothing committed for so long although there is work: something is stuck. */
const STALLED_MS = 60_000;

export function createHealth(role: Role, probes: Probes, { now = Date.now, timeoutMs = 2_000 }: HealthOptions = {}): Health {
  const ask = <T>(probe: () => Promise<T>): Promise<{ value: T } | undefined> => within(timeoutMs, probe);

  /** After a quiet hour the first event is no stall: what counts is how long there has been work. */
  let idleAtMs = -Infinity;

  return {
    async readiness() {
      const [durability, queued, graph, queueEpoch, graphEpoch] = await Promise.all([
        ask(probes.durability),
        ask(probes.queued),
        ask(probes.graph),
        ask(probes.queueEpoch),
        ask(probes.graphEpoch),
      ]);
      const lastCommitMs = probes.lastCommitMs();
      const agrees = queueEpoch?.value === undefined || graphEpoch?.value === undefined ? null : queueEpoch.value === graphEpoch.value;
      if (queued?.value === 0) idleAtMs = now();
      const quietMs = lastCommitMs === undefined ? 0 : now() - Math.max(lastCommitMs, idleAtMs);
      const stalled = (queued?.value ?? 0) > 0 && quietMs > STALLED_MS;
      const reasons = [
        ...(durability === undefined ? ['Redis does not take events'] : []),
        ...(graph === undefined ? ['Neo4j is away'] : []),
        ...(agrees === false ? ['Redis and the graph are of different lives: one was lost or restored; see the log'] : []),
        ...(stalled ? [`there is work, and nothing was committed for ${Math.floor(quietMs / 1_000)} s`] : []),
      ];
      const ready = role === 'work' ? !stalled : durability !== undefined;
      return {
        status: ready ? 'ready' : 'unready',
        role,
        reasons,
        queue: { reachable: queued !== undefined, durability: durability?.value ?? null, queued: queued?.value ?? null },
        graph: { reachable: graph !== undefined },
        epoch: { agrees },
        lastCommitAt: lastCommitMs === undefined ? null : formatMs(lastCommitMs),
      };
    },
  };
}

async function within<T>(ms: number, ask: () => Promise<T>): Promise<{ value: T } | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([ask().then((value) => ({ value })), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
