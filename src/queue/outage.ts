/** Which failures of Redis pass by themselves: it is away, starting, full or busy. Whatever else it says, a later try says again. */
import { IngestError } from '../errors.ts';

/** What Redis answers with until it, or somebody who looks after it, is done. */
const PASSING = /(^|-)(LOADING|OOM|BUSY|MISCONF|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS)\b|^ERR max number of clients/;
/** What ioredis says of commands whose connection is gone; most of these are plain errors without a code. */
const CUT =
  /^(Connection is closed|Stream isn't writeable|Reached the max retries per request|Command aborted due to connection close|Command timed out|Socket timeout)/;

export function isOutage(error: unknown): boolean {
  if (error instanceof IngestError) return error.retry === 'retry';
  if (!(error instanceof Error)) return false;
  return (error.name === 'ReplyError' ? PASSING : CUT).test(error.message) || 'syscall' in error;
}
