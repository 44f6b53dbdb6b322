/** A graph that a user lends to `verify`: only an empty one, and given back as it was. */
import { IngestError } from '../errors.ts';
import { explainFailure, type Bolt } from '../graph/driver.ts';

export interface Borrowed {
  /** Removes all nodes, and the constraints and indexes that were not there before. */
  clean(): Promise<void>;
}

/** Throws `BAD_CONFIG` where there is anything in it. */
export async function borrowGraph(bolt: Bolt): Promise<Borrowed> {
  const [nodes] = await ask<number>(bolt, 'MATCH (n) RETURN count(n) AS it');
  if (Number(nodes) > 0) {
    throw new IngestError(
      'BAD_CONFIG',
      `the graph of --uri is not empty (${nodes} nodes), and verify wipes the one it works in; give an empty one, or none`,
    );
  }
  const before = await readSchema(bolt);
  return {
    async clean() {
      await ask(bolt, 'MATCH (n) DETACH DELETE n');
      const now = await readSchema(bolt);
      for (const kind of ['CONSTRAINT', 'INDEX'] as const) {
        const known = new Set(before[kind]);
        for (const name of now[kind].filter((one) => !known.has(one))) await ask(bolt, `DROP ${kind} \`${name.replaceAll('`', '``')}\``);
      }
    },
  };
}

async function readSchema(bolt: Bolt): Promise<{ readonly CONSTRAINT: readonly string[]; readonly INDEX: readonly string[] }> {
  return {
    CONSTRAINT: await ask(bolt, 'SHOW CONSTRAINTS YIELD name RETURN name AS it'),
    INDEX: await ask(
      bolt,
      "SHOW INDEXES YIELD name, type, owningConstraint WHERE type <> 'LOOKUP' AND owningConstraint IS NULL RETURN name AS it",
    ),
  };
}

async function ask<T>({ driver, database }: Bolt, cypher: string): Promise<T[]> {
  try {
    const { records } = await driver.executeQuery(cypher, {}, { database });
    return records.map((record) => record.get('it') as T);
  } catch (error) {
    throw explainFailure(error);
  }
}
