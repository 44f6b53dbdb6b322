/** Constraints and indexes, derived from the model: applied, printed and checked for drift. The service does not run without them. */
import { IngestError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import { explainFailure, type Bolt } from './driver.ts';

export interface SchemaRule {
  readonly name: string;
  readonly kind: 'unique' | 'index';
  readonly label: string;
  readonly properties: readonly string[];
}

/** The ledger, hidden rows and marks: labels that begin with `_` are ours. */
const PRIVATE: readonly Omit<SchemaRule, 'name'>[] = [
  { kind: 'unique', label: '_Node', properties: ['key'] },
  { kind: 'unique', label: '_Edge', properties: ['key'] },
  { kind: 'index', label: '_Edge', properties: ['from'] },
  { kind: 'index', label: '_Edge', properties: ['to'] },
  { kind: 'index', label: '_Edge', properties: ['waiting'] },
  { kind: 'unique', label: '_Event', properties: ['key'] },
  { kind: 'index', label: '_Event', properties: ['state'] },
  { kind: 'index', label: '_Event', properties: ['state', 'latest'] },
  { kind: 'index', label: '_Event', properties: ['conflict'] },
  { kind: 'unique', label: '_Segment', properties: ['id'] },
  { kind: 'unique', label: '_Job', properties: ['id'] },
  { kind: 'index', label: '_Job', properties: ['settledAt'] },
  { kind: 'index', label: '_Job', properties: ['late'] },
  { kind: 'unique', label: '_Counter', properties: ['id'] },
  { kind: 'unique', label: '_Meta', properties: ['id'] },
];

/** All rules that the model asks for, in a stable order. */
export function schemaOf(model: Model): SchemaRule[] {
  const keys = [...model.nodes.values()].map(({ label, key }) => ({
    kind: 'unique' as const,
    label,
    properties: key.map((part) => part.name),
  }));
  return [...keys, ...PRIVATE].map((rule) => ({ ...rule, name: `eventgraft_${rule.label}_${rule.properties.join('_')}`.slice(0, 200) }));
}

/** The Cypher that makes a rule; does nothing where it is there. */
export function ruleCypher(rule: SchemaRule): string {
  const columns = rule.properties.map((property) => `n.${property}`).join(', ');
  return rule.kind === 'unique'
    ? `CREATE CONSTRAINT ${rule.name} IF NOT EXISTS FOR (n:${rule.label}) REQUIRE (${columns}) IS UNIQUE`
    : `CREATE INDEX ${rule.name} IF NOT EXISTS FOR (n:${rule.label}) ON (${columns})`;
}

/** Makes what is missing and waits until it is online. Idempotent. Throws `SCHEMA_DRIFT` where existing data stands in the way, `GRAPH_UNAVAILABLE` while Neo4j is away. */
export async function applySchema(bolt: Bolt, model: Model): Promise<SchemaRule[]> {
  const rules = schemaOf(model);
  for (const rule of rules) {
    try {
      await run(bolt, ruleCypher(rule));
    } catch (error) {
      if (error instanceof IngestError && error.retry === 'retry' && error.code !== 'GRAPH_REFUSED') throw error;
      throw new IngestError(
        'SCHEMA_DRIFT',
        `${rule.name} could not be made: ${error instanceof Error ? error.message : String(error)}`,
        { rule: rule.name },
        error,
      );
    }
  }
  await run(bolt, 'CALL db.awaitIndexes(300)');
  return rules;
}

/** One sentence for each rule that is missing, not online, or of another shape; empty when all is well. */
export async function checkSchema(bolt: Bolt, model: Model): Promise<string[]> {
  const rows = await run(bolt, 'SHOW INDEXES YIELD labelsOrTypes, properties, state, owningConstraint');
  const found = rows.map((row) => ({
    shape: `${String(row['labelsOrTypes'])} ${String(row['properties'])}`,
    online: row['state'] === 'ONLINE',
    unique: row['owningConstraint'] !== null,
  }));
  return schemaOf(model).flatMap((rule) => {
    const same = found.filter((one) => one.shape === `${rule.label} ${rule.properties.join(',')}` && (one.unique || rule.kind === 'index'));
    const what = `${rule.kind === 'unique' ? 'unique constraint' : 'index'} on ${rule.label}(${rule.properties.join(', ')})`;
    if (same.length === 0) return [`missing: ${what}`];
    return same.some((one) => one.online) ? [] : [`not online: ${what}`];
  });
}

/** Throws `SCHEMA_DRIFT` naming what is missing. */
export async function requireSchema(bolt: Bolt, model: Model): Promise<void> {
  const problems = await checkSchema(bolt, model);
  if (problems.length > 0)
    throw new IngestError('SCHEMA_DRIFT', `the graph's schema is not the model's: ${problems.join('; ')}`, { problems });
}

async function run(bolt: Bolt, cypher: string): Promise<Record<string, unknown>[]> {
  const session = bolt.driver.session({ database: bolt.database });
  try {
    const result = await session.run(cypher);
    return result.records.map((record) => record.toObject());
  } catch (error) {
    throw explainFailure(error);
  } finally {
    await session.close();
  }
}
