/**
 * What a query may do: read the public graph. Three locks, each enough for writing: the server's READ transaction, the
 * plan's query type, and a list of operators and procedures that are known only to read. Names that begin with `_` are
 * refused so that nobody builds on private storage by accident; that is courtesy, not security.
 */
import { IngestError } from '../errors.ts';

/** As the driver gives it. */
export interface PlanNode {
  readonly operatorType: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly children: readonly PlanNode[];
}

export const ALLOWED_PROCEDURES: ReadonlySet<string> = new Set([
  'db.labels',
  'db.relationshipTypes',
  'db.propertyKeys',
  'db.schema.visualization',
  'db.schema.nodeTypeProperties',
  'db.schema.relTypeProperties',
]);

const QUOTED = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\[\s\S]|[^'\\])*'|"(?:\\[\s\S]|[^"\\])*"/g;

/** Before the database sees it. Throws `QUERY_REFUSED`. */
export function checkText(cypher: string): void {
  // Cypher reads \uXXXX before anything else, even outside of texts: what we look at would not be what it reads.
  if (/\\u/i.test(cypher)) throw refused('write characters as themselves or as parameters, not as \\u');
  const bare = cypher.replaceAll(QUOTED, (part) => (part.startsWith('/') ? ' ' : "''"));
  if (bare.trim() === '') throw refused('the query is empty');
  if (/;\s*\S/.test(bare)) throw refused('one statement at a time');
  const option = /^\s*(EXPLAIN|PROFILE|CYPHER)\b/i.exec(bare)?.[1];
  if (option !== undefined) throw refused(`${option.toUpperCase()} is not for queries here`);
  if (/(?:^|[{})]|\bUNION|\bALL)\s*USE\s/i.test(bare)) throw refused('USE: there is one graph');
  if (/\bLOAD\s+CSV\b/i.test(bare)) throw refused('LOAD CSV reads files and other servers');
  const name = /(?<![\w$`])`?(_\w*)/.exec(bare)?.[1];
  if (name !== undefined) throw refused(`${name}: names that begin with _ are private and may change`);
}

/** A trailing semicolon is habit, not a second statement. */
export function withoutSemicolon(cypher: string): string {
  return cypher.replace(/[;\s]+$/, '');
}

/** By what the database would do. Throws `QUERY_REFUSED`; returns the procedures that are called. */
export function checkPlan(queryType: string, plan: PlanNode | false): ReadonlySet<string> {
  if (queryType !== 'r') throw refused('only statements that read are run');
  if (plan === false) throw refused('the database did not say what it would do');
  const procedures = new Set<string>();
  visit(plan, procedures);
  return procedures;
}

function visit(plan: PlanNode, procedures: Set<string>): void {
  const operator = plan.operatorType.replace(/@.*$/, '').replace(/\(.*$/, '');
  if (operator === 'ProcedureCall') procedures.add(checkProcedure(plan));
  else if (!OPERATORS.has(operator) && !FAMILIES.test(operator)) throw refused(`${operator} is not among what a query may do`);
  for (const child of plan.children) visit(child, procedures);
}

function checkProcedure(plan: PlanNode): string {
  const details = plan.arguments['Details'];
  const name = typeof details === 'string' ? /^([\w.]+)\s*\(/.exec(details)?.[1] : undefined;
  if (name === undefined || !ALLOWED_PROCEDURES.has(name))
    throw refused(`the procedure ${name ?? ''} may not be called; allowed: ${[...ALLOWED_PROCEDURES].join(', ')}`);
  return name;
}

/** Scans, seeks and counts differ by what they look at; all of them only look. `AssertingMultiNodeIndexSeek` belongs to MERGE. */
const FAMILIES =
  /^(?!Asserting)(?:(?:Directed|Undirected|Union|Intersection|Subtraction|Partitioned|Multi|Node|Relationship|All|Dynamic)\w*(?:Scan|Seek|SeekByRange)|(?:Node|Relationship)CountFromCountStore|(?:Node|Value|NodeLeftOuter|NodeRightOuter)HashJoin)$/;

const OPERATORS: ReadonlySet<string> = new Set([
  'ProduceResults',
  'Projection',
  'Filter',
  'Argument',
  'EmptyRow',
  'EmptyResult',
  'Input',
  'Unwind',
  'Optional',
  'Eager',
  'PreserveOrder',
  'CacheProperties',
  'RemoteBatchProperties',
  'RemoteBatchPropertiesWithFilter',
  'Expand',
  'OptionalExpand',
  'VarLengthExpand',
  'ShortestPath',
  'AllShortestPaths',
  'StatefulShortestPath',
  'ProjectEndpoints',
  'Repeat',
  'BidirectionalRepeat',
  'RepeatTrail',
  'TriadicBuild',
  'TriadicFilter',
  'TriadicSelection',
  'AssertSameNode',
  'AssertSameRelationship',
  'EagerAggregation',
  'OrderedAggregation',
  'PartialAggregation',
  'Distinct',
  'OrderedDistinct',
  'Sort',
  'PartialSort',
  'Top',
  'PartialTop',
  'Top1WithTies',
  'Limit',
  'Skip',
  'CartesianProduct',
  'Union',
  'OrderedUnion',
  'Apply',
  'SemiApply',
  'AntiSemiApply',
  'SelectOrSemiApply',
  'SelectOrAntiSemiApply',
  'LetSemiApply',
  'LetAntiSemiApply',
  'LetSelectOrSemiApply',
  'LetSelectOrAntiSemiApply',
  'RollUpApply',
  'ConditionalApply',
  'AntiConditionalApply',
  'CollectAll',
  'NodeByIdSeek',
  'NodeByElementIdSeek',
]);

export function refused(message: string): IngestError {
  return new IngestError('QUERY_REFUSED', message);
}
