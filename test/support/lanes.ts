/** Files on real databases run side by side, each lane with a Neo4j and a Redis of its own; a given database is one lane. */
import { availableParallelism } from 'node:os';

export const LANES = process.env['NEO4J_URI'] === undefined ? Math.min(2, availableParallelism()) : 1;
