/** What health asks of the graph. */
import { readStatement } from './cypher-file.ts';
import type { Bolt } from './driver.ts';
import { readTransaction } from './read-transaction.ts';

const TIMEOUT_MS = 2_000;

/** The epoch that the graph knows; undefined in a graph that was never written. Throws `GRAPH_UNAVAILABLE` while Neo4j is away. Changes nothing. */
export async function readGraphEpoch(bolt: Bolt): Promise<string | undefined> {
  return readTransaction(bolt, TIMEOUT_MS, async (tx) => {
    const result = await tx.run<{ epoch: string | null }>(readStatement('read/meta'));
    return result.records[0]?.get('epoch') ?? undefined;
  });
}
