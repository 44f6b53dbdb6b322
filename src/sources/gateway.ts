/**
 * Sources behind a gateway: something that takes a sender's events in, hands them on, and wants to hear of each what became
 * of it. Here is where and how it is told; the telling is src/acknowledge.ts.
 */
import { z } from 'zod';

import { IngestError } from '../errors.ts';
import { readBaseUrl } from './base-url.ts';
import type { Acknowledge, SourceBuilder } from './source.ts';

export const gatewaySchema = z.strictObject({
  /** What stands before `/<event id>/ack`, e.g. `https://gateway.example/api/events`. */
  url: z.string(),
  /** The header that takes `ACKNOWLEDGE_TOKEN_<SOURCE>` as it is. Default: `Authorization`, with `Bearer` before it. */
  header: z.string().exactOptional(),
});

export type GatewayOptions = z.input<typeof gatewaySchema>;

const HEADER_NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

/** Any pack, whose events are then reported to a gateway under the ids that the pack identifies them by. Throws `BAD_CONFIG` when it is built. */
export function acknowledging(pack: SourceBuilder, gateway: GatewayOptions): SourceBuilder {
  return (settings) => ({ ...pack(settings), acknowledge: acknowledgeAt(settings.name, gateway) });
}

/** Throws `BAD_CONFIG` naming the source. */
export function acknowledgeAt(name: string, { url, header = 'authorization' }: GatewayOptions): Acknowledge {
  const root = readBaseUrl(`${name}.acknowledge.url`, url, 'https://gateway.example/events');
  const lower = header.toLowerCase();
  if (!HEADER_NAME.test(lower)) throw new IngestError('BAD_CONFIG', `${name}.acknowledge.header is no name of a header`);
  return {
    origin: new URL(root).origin,
    // Dots alone are steps within a path, however they are encoded, and would lead to another one.
    urlOf: (id, verdict) => (id === '.' || id === '..' ? undefined : `${root}/${encodeURIComponent(id)}/${verdict}`),
    headers: (token) => ({ [lower]: lower === 'authorization' ? `Bearer ${token}` : token }),
  };
}
