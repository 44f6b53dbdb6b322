/** Strict JSON (RFC 8259 over strict UTF-8). Placeholder: the parser is being written. */
import type { Decimal } from './model/values.ts';

export type Json = null | boolean | string | number | bigint | Decimal | readonly Json[] | { readonly [name: string]: Json };
