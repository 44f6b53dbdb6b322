/** Three things that an analyst would ask first, by the queries that `eventgraft query` has by name. */
import type { GraphAddress } from '../graph/driver.ts';
import { loadNamedQueries } from '../graph/named-queries.ts';
import { createQueryBolt, runQuery, type QueryResult } from '../graph/query.ts';

export interface Answer {
  readonly question: string;
  /** The file is cypher/queries/<name>.cypher. */
  readonly name: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly cypher: string;
  readonly columns: QueryResult['columns'];
  readonly rows: QueryResult['rows'];
  readonly tookMs: number;
}

export async function askThree(address: GraphAddress): Promise<Answer[]> {
  const bolt = createQueryBolt(address);
  const queries = loadNamedQueries();
  try {
    const ask = async (question: string, name: string, params: Answer['params']): Promise<Answer> => {
      const query = queries.get(name);
      if (query === undefined) throw new Error(`cypher/queries/${name}.cypher is missing`);
      const { columns, rows, tookMs } = await runQuery(bolt, query, params);
      return { question, name, params, cypher: query.cypher, columns, rows, tookMs };
    };
    const best = await ask('Who are the best customers?', 'best-customers', { limit: 5 });
    const pairs = await ask('What is bought together?', 'bought-together', { limit: 5 });
    const first = best.rows[0]?.[best.columns.indexOf('customer')];
    const customer = typeof first === 'string' ? first : '';
    return [best, pairs, await ask(`What has customer ${customer} done?`, 'customer-journey', { customer, limit: 9 })];
  } finally {
    await bolt.close();
  }
}
