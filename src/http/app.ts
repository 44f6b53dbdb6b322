/**
 * All routes but the webhooks, which are answered before Express (webhooks.ts). Thin: what they need comes as arguments,
 * and they know neither the queue nor the graph.
 */
import express, { type Express, type RequestHandler } from 'express';

import { IngestError } from '../errors.ts';
import type { Stats } from '../event.ts';
import type { Explainer } from '../explain/explain.ts';
import type { EventReader } from '../graph/events.ts';
import type { FactsOf } from '../graph/event-view.ts';
import type { Metrics } from '../metrics.ts';
import { createAddressOf, type AddressOf } from './address.ts';
import { createTokenCheck, type Refusal } from './auth.ts';
import { DOCS_CSP, renderDocs } from './docs-page.ts';
import { handleErrors } from './errors.ts';
import { getEvent, listEvents } from './events.ts';
import { explainNode } from './explain.ts';
import type { Health } from './health.ts';
import { openApi } from './openapi.ts';

export interface AppOptions {
  /** Undefined without a graph: its paths answer 503. */
  readonly events: Pick<EventReader, 'get' | 'list'> | undefined;
  readonly stats: () => Promise<Stats>;
  readonly explainer: Explainer;
  readonly health: Health;
  readonly metrics: Pick<Metrics, 'render'>;
  /** Any of them opens `/events` and `/admin`; none, and those paths do not exist. */
  readonly tokens: readonly string[];
  /** Whom wrong tokens are counted against. Default: the address of the socket. */
  readonly addressOf?: AddressOf;
  /** Hears of every wrong token. */
  readonly onRefused?: (refusal: Refusal & { readonly path: string }) => void;
  readonly factsOf: FactsOf;
  readonly version?: string;
  /** Hears of faults of our own, which are answered with 500 and no detail. */
  readonly onFault?: (error: unknown) => void;
}

const noGraph = async (): Promise<never> => {
  throw new IngestError('GRAPH_UNAVAILABLE', 'this process has no graph');
};
const NO_GRAPH: Pick<EventReader, 'get' | 'list'> = { get: noGraph, list: noGraph };

/** Every path with what answers it; `openapi.ts` describes the same, and a test compares the two. */
export function routesOf(
  options: AppOptions,
): readonly { readonly path: string; readonly admin: boolean; readonly get: RequestHandler<never> }[] {
  const { events = NO_GRAPH, stats, explainer, health, metrics, factsOf, version = '0.0.0' } = options;
  const document = openApi(version);
  const page = renderDocs(document);
  return [
    { path: '/events', admin: true, get: listEvents(events) },
    { path: '/events/:key', admin: true, get: getEvent(events, factsOf) },
    { path: '/admin/stats', admin: true, get: async (_request, response) => void response.json(await stats()) },
    { path: '/admin/explain', admin: true, get: explainNode(explainer) },
    { path: '/health/live', admin: false, get: (_request, response) => void response.json({ status: 'live' }) },
    {
      path: '/health/ready',
      admin: false,
      get: async (_request, response) => {
        const readiness = await health.readiness();
        response.status(readiness.status === 'ready' ? 200 : 503).json(readiness);
      },
    },
    {
      path: '/metrics',
      admin: false,
      get: async (_request, response) => {
        const { text, contentType } = await metrics.render();
        response.type(contentType).send(text);
      },
    },
    { path: '/openapi.json', admin: false, get: (_request, response) => void response.json(document) },
    {
      path: '/docs',
      admin: false,
      get: (_request, response) => void response.set('Content-Security-Policy', DOCS_CSP).type('html').send(page),
    },
  ];
}

export function createApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use((_request, response, next) => {
    response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer' });
    next();
  });
  const { addressOf = createAddressOf(), onRefused } = options;
  const check = createTokenCheck(options.tokens);
  const authorize: RequestHandler = (request, _response, next) => {
    check(request.get('x-admin-token'), addressOf(request), (refusal) => onRefused?.({ ...refusal, path: request.baseUrl + request.path }));
    next();
  };
  // All of /admin, so that nobody learns without a token what is there.
  app.use('/admin', authorize);
  for (const { path, admin, get } of routesOf(options)) {
    const route = app.route(path);
    if (admin) route.all(authorize);
    // `never`: each handler names its own parameters, which the path gives it.
    route.get(get as RequestHandler);
    route.all((_request, response) => {
      response.set('Allow', 'GET, HEAD');
      throw new IngestError('METHOD_NOT_ALLOWED', 'this path is only read');
    });
  }
  app.use(() => {
    throw new IngestError('NOT_FOUND', 'no such path');
  });
  app.use(handleErrors(options.onFault ?? (() => undefined)));
  return app;
}
