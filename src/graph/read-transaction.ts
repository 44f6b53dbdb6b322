/** One read transaction: for pages, counts and queries, never for `apply`. */
import type { RecordShape } from 'neo4j-driver';

import { explainFailure, type Bolt } from './driver.ts';
import type { Tx } from './transact.ts';

/** Runs `work` in a transaction of access mode READ that the server ends after `timeoutMs`. Throws `GRAPH_UNAVAILABLE`. */
export async function readTransaction<T>(bolt: Bolt, timeoutMs: number, work: (tx: Tx) => Promise<T>): Promise<T> {
  const session = bolt.driver.session({ database: bolt.database, defaultAccessMode: 'READ' });
  try {
    const transaction = session.beginTransaction({ timeout: timeoutMs });
    const result = await work({
      run: async <R extends RecordShape>(cypher: string, parameters?: Readonly<Record<string, unknown>>) =>
        transaction.run<R>(cypher, parameters),
    });
    await transaction.commit();
    return result;
  } catch (error) {
    throw explainFailure(error);
  } finally {
    // Not awaited: on a dead connection closing hangs as long as the statement did. It rolls back what is open.
    session.close().catch(() => undefined);
  }
}
