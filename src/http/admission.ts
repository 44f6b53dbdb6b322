/** Who is let in at all: asked before a byte of the body is read, and for a source once more when its signature holds. */
import type { IncomingMessage } from 'node:http';

import { IngestError } from '../errors.ts';
import type { Source } from '../sources/source.ts';
import type { AddressOf } from './address.ts';
import type { Lag } from './lag.ts';
import type { Rate } from './rate.ts';

/** Throws `OVERLOADED` or `RATE_LIMITED`. */
export type Admit = (req: IncomingMessage) => void;

export function createAdmission({ addressOf, rate, lag }: { addressOf: AddressOf; rate: Rate; lag: Pick<Lag, 'isLate'> }): Admit {
  return (req) => {
    if (lag.isLate()) throw new IngestError('OVERLOADED', 'the event loop is late');
    limit(rate, addressOf(req), 'this address sends too much');
  };
}

/** The same sources, each of which takes in so much a second of what it has verified. What a forger sends under its name does not count. */
export function limitSources(sources: ReadonlyMap<string, Source>, rate: Rate): ReadonlyMap<string, Source> {
  const limited = [...sources].map(([name, source]): [string, Source] => [
    name,
    {
      ...source,
      verify(delivery, document) {
        const secretId = source.verify(delivery, document);
        limit(rate, name, 'this source sends too much');
        return secretId;
      },
    },
  ]);
  return new Map(limited);
}

function limit(rate: Rate, name: string, problem: string): void {
  const waitMs = rate.take(name);
  if (waitMs > 0) throw new IngestError('RATE_LIMITED', problem, { retryAfterSeconds: Math.ceil(waitMs / 1_000) });
}
