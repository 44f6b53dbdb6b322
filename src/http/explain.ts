/** `GET /admin/explain`: why the graph says of a node what it says. */
import type { RequestHandler } from 'express';
import { z } from 'zod';

import { narrow, type Explainer } from '../explain/explain.ts';
import { entityText, readQuery } from './events.ts';

const querySchema = z.strictObject({
  entity: entityText,
  about: z.string().min(1, 'must not be empty').optional(),
  value: z.string().optional(),
});

export function explainNode(explainer: Explainer): RequestHandler {
  return async (request, response) => {
    const { entity, about, value } = readQuery(querySchema, request.query);
    response.json(narrow(await explainer.explain(entity), { about, value }));
  };
}
