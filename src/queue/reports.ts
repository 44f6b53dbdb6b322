/**
 * What gateways are still to be told: for each source a sorted set, by the time at which a report is due. To add one is to
 * move it to now; to take one is to move it away for as long as the taker may need. So the same report is there once however
 * often it was added, a taker that dies leaves what comes due again, and what nobody asks for costs nothing. A report that is
 * added while somebody has it is due again: who has it then finds it moved, and leaves it there. All times are Redis's own.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';

import { keysOf } from './keys.ts';

/** `ack`: the event is settled. `look`: the ledger knows what became of it. `release`: it will, as soon as the event is out of quarantine. */
export type Report =
  | { readonly is: 'ack'; readonly id: string }
  | { readonly is: 'look' | 'release'; readonly id: string; readonly bodyHash: string };

/** A report in hand; how it is left says whether it is over. */
export interface ReportInHand {
  readonly report: Report;
  /** How often it was put off before. */
  readonly tries: number;
  readonly member: string;
  /** Where the taker moved it; milliseconds of Redis's clock. */
  readonly heldUntilMs: number;
}

/** `done`, or due again after so many milliseconds. */
export interface Left {
  readonly taken: ReportInHand;
  readonly dueMs: number | 'done';
}

export interface Reports {
  /** On disk when it resolves. Idempotent. Throws when Redis did not do as asked: try again. */
  add(source: string, reports: readonly Report[]): Promise<void>;
  /** Leaves some, and takes up to `limit` that are due, the oldest first, each for one taker at a time. In one trip: each waits for the disk. */
  exchange(source: string, left: readonly Left[], limit: number): Promise<readonly ReportInHand[]>;
}

export interface ReportsOptions {
  /** Of role `worker`; closed by its owner. */
  readonly redis: Redis;
  readonly prefix: string;
  /** Longer than a report can be in hand; so long a killed taker's wait. Default 30,000. */
  readonly holdMs?: number;
}

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** KEYS reports · ARGV member… */
const ADD = `${NOW}
for _, member in ipairs(ARGV) do redis.call('ZADD', KEYS[1], now, member) end`;

/**
 * KEYS reports, tries · ARGV limit, how long they are held, then member, held until, delay (or "done") of each that is left
 * → held until, then member, tries of each that is taken
 */
const EXCHANGE = `${NOW}
for i = 3, #ARGV, 3 do
  local member, held, due = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  if tonumber(redis.call('ZSCORE', KEYS[1], member) or 0) == held then
    if due == 'done' then
      redis.call('ZREM', KEYS[1], member)
      redis.call('HDEL', KEYS[2], member)
    else
      redis.call('ZADD', KEYS[1], now + due, member)
      redis.call('HINCRBY', KEYS[2], member, 1)
    end
  end
end
local held = now + ARGV[2]
local taken = { held }
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
  redis.call('ZADD', KEYS[1], held, member)
  table.insert(taken, member)
  table.insert(taken, tonumber(redis.call('HGET', KEYS[2], member) or 0))
end
return taken`;

const memberSchema = z.union([z.tuple([z.literal('ack'), z.string()]), z.tuple([z.enum(['look', 'release']), z.string(), z.string()])]);

export function createReports({ redis, prefix, holdMs = 30_000 }: ReportsOptions): Reports {
  const keys = keysOf(prefix);
  return {
    async add(source, reports) {
      if (reports.length > 0) await redis.eval(ADD, 1, keys.reports(source), ...new Set(reports.map(memberOf)));
    },
    async exchange(source, left, limit) {
      const leaving = left.flatMap(({ taken, dueMs }) => [taken.member, taken.heldUntilMs, dueMs === 'done' ? dueMs : Math.ceil(dueMs)]);
      const answer = await redis.eval(EXCHANGE, 2, keys.reports(source), keys.reportTries(source), limit, holdMs, ...leaving);
      const [heldUntilMs, ...rest] = answer as [number, ...(string | number)[]];
      const taken: ReportInHand[] = [];
      for (let i = 0; i < rest.length; i += 2) {
        const member = String(rest[i]);
        const report = readMember(member);
        // What another release has left stays for that release.
        if (report !== undefined) taken.push({ report, tries: Number(rest[i + 1]), member, heldUntilMs });
      }
      return taken;
    },
  };
}

/** Reports that wait or are in hand, of all these sources. */
export async function countReports(redis: Redis, prefix: string, sources: readonly string[]): Promise<number> {
  const keys = keysOf(prefix);
  const counts = await Promise.all(sources.map((source) => redis.zcard(keys.reports(source))));
  return counts.reduce((sum, n) => sum + n, 0);
}

function memberOf(report: Report): string {
  return JSON.stringify(report.is === 'ack' ? [report.is, report.id] : [report.is, report.id, report.bodyHash]);
}

function readMember(member: string): Report | undefined {
  try {
    const { data } = memberSchema.safeParse(JSON.parse(member));
    if (data === undefined) return undefined;
    return data[0] === 'ack' ? { is: data[0], id: data[1] } : { is: data[0], id: data[1], bodyHash: data[2] };
  } catch {
    return undefined;
  }
}
