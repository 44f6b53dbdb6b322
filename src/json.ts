/**
 * Strict JSON: RFC 8259, and of what it leaves open the careful half. `JSON.parse` rounds long integers, keeps the last
 * of two equal keys, lets lone surrogates through and nests without end; here each of these is refused or kept exact.
 *
 *   integer, no fraction or exponent   number while safe, bigint up to int64, refused beyond; -0 is 0
 *   any other number                   Decimal, its text kept; refused when it overflows a double
 *   string or key                      well-formed Unicode only, raw and escaped
 *   object                             no key twice; no prototype, so `__proto__` is a key like any other
 */
import { isUtf8 } from 'node:buffer';

import { IngestError, type ErrorCode } from './errors.ts';

/** A number that was written with a fraction or exponent and is therefore no integer, whatever its value (`2100.0`, `1e3`). */
export class Decimal {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Json = null | boolean | string | number | bigint | Decimal | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

export interface JsonLimits {
  /** Arrays and objects within one another. Default 64. */
  readonly depth?: number;
  /** Keys of one object. Default 10,000. */
  readonly keys?: number;
  /** Values and keys together. Default 200,000. */
  readonly tokens?: number;
}

/** The JSON value that the text is. Throws `TOO_DEEP` or `BAD_JSON` with `position` (in UTF-16 units) and `path`. */
export function parseJson(text: string, limits: JsonLimits = {}): Json {
  return new Parser(text, limits).parse();
}

/** The text that the bytes are in UTF-8. Throws `BAD_JSON` where they are not; a byte order mark stays, and is no JSON. */
export function decodeUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new IngestError('BAD_JSON', 'the bytes are not UTF-8');
  return bytes.toString('utf8');
}

/** Whether it is an object, and not null, a list or a `Decimal`. */
export function isJsonObject(json: Json | undefined): json is JsonObject {
  return json instanceof Bag;
}

/** `facts[2].upsert.key.id`; names that are no identifiers are quoted: `set["a.b"]`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let out = '';
  for (const step of path) {
    if (typeof step === 'number') out += `[${step}]`;
    else if (IDENTIFIER.test(String(step))) out += out === '' ? String(step) : `.${String(step)}`;
    else out += `[${JSON.stringify(String(step).slice(0, 80))}]`;
  }
  return out;
}

const IDENTIFIER = /^[A-Za-z_$][\w$]{0,79}$/;

/** Inherits nothing at all. As inert as `Object.create(null)`, which V8 keeps as a hash table and reads slowly. */
class Bag {
  [name: string]: Json;
}
Reflect.deleteProperty(Bag.prototype, 'constructor');
Reflect.setPrototypeOf(Bag.prototype, null);
Object.freeze(Bag.prototype);

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const INT64_DIGITS = 19;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** Recursive descent. The stack is bounded by the depth limit, and `path` says where it is. */
class Parser {
  private readonly text: string;
  private readonly maxDepth: number;
  private readonly maxKeys: number;
  private readonly maxTokens: number;
  private readonly path: PropertyKey[] = [];
  private at = 0;
  private depth = 0;
  private tokens = 0;

  constructor(text: string, limits: JsonLimits) {
    this.text = text;
    this.maxDepth = limits.depth ?? 64;
    this.maxKeys = limits.keys ?? 10_000;
    this.maxTokens = limits.tokens ?? 200_000;
  }

  parse(): Json {
    // Once, natively: a raw surrogate can then only be half of a pair.
    if (!this.text.isWellFormed()) throw this.error('a lone surrogate', this.text.search(/\p{Surrogate}/u));
    const value = this.value(this.skip());
    if (!Number.isNaN(this.skip())) throw this.error('something after the end of the value');
    return value;
  }

  /** Skips white space; the code of the character that follows, NaN at the end. */
  private skip(): number {
    const { text } = this;
    let { at } = this;
    let code = text.charCodeAt(at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++at);
    this.at = at;
    return code;
  }

  private value(code: number): Json {
    this.count();
    switch (code) {
      case QUOTE:
        return this.string();
      case 0x7b:
        return this.object();
      case 0x5b:
        return this.array();
      case 0x74:
        return this.word('true', true);
      case 0x66:
        return this.word('false', false);
      case 0x6e:
        return this.word('null', null);
      default:
        if (code === MINUS || (code >= ZERO && code <= NINE)) return this.number(code);
        throw this.error(Number.isNaN(code) ? 'the text ends too early' : 'expected a value');
    }
  }

  private object(): Json {
    this.enter();
    const out = new Bag();
    let keys = 0;
    let code = this.skip();
    if (code === 0x7d) return this.leave(out);
    for (;;) {
      if (code !== QUOTE) throw this.error(Number.isNaN(code) ? 'the text ends too early' : 'expected a key in double quotes');
      const start = this.at;
      this.count();
      const key = this.string();
      this.path[this.depth - 1] = key;
      if (out[key] !== undefined) throw this.error('the same key twice in one object', start, this.depth);
      if (++keys > this.maxKeys) throw this.error(`more than ${this.maxKeys} keys in one object`, start);
      if (this.skip() !== 0x3a) throw this.error('expected a colon');
      this.at++;
      out[key] = this.value(this.skip());
      code = this.skip();
      if (code === 0x7d) return this.leave(out);
      if (code !== 0x2c) throw this.error(Number.isNaN(code) ? 'the text ends too early' : 'expected a comma or }');
      this.at++;
      code = this.skip();
    }
  }

  private array(): Json {
    this.enter();
    const out: Json[] = [];
    let code = this.skip();
    if (code === 0x5d) return this.leave(out);
    for (;;) {
      this.path[this.depth - 1] = out.length;
      out.push(this.value(code));
      code = this.skip();
      if (code === 0x5d) return this.leave(out);
      if (code !== 0x2c) throw this.error(Number.isNaN(code) ? 'the text ends too early' : 'expected a comma or ]');
      this.at++;
      code = this.skip();
    }
  }

  private string(): string {
    const { text } = this;
    const start = this.at;
    let at = start + 1;
    let escaped = false;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        escaped = true;
        at++;
      } else if (!(code >= 0x20))
        throw this.error(Number.isNaN(code) ? 'the text ends within a string' : 'a raw control character within a string', at);
      at++;
    }
    this.at = at + 1;
    return escaped ? this.unescape(start, at + 1) : text.slice(start + 1, at);
  }

  private unescape(start: number, end: number): string {
    let out: unknown;
    try {
      out = JSON.parse(this.text.slice(start, end));
    } catch {
      throw this.error('an unknown escape or a raw control character within a string', start);
    }
    if (typeof out !== 'string' || !out.isWellFormed()) throw this.error('a lone surrogate', start);
    return out;
  }

  private number(first: number): Json {
    const { text } = this;
    const start = this.at;
    const digits = first === MINUS ? start + 1 : start;
    let at = digits;
    let code = text.charCodeAt(at);
    let whole = 0;
    while (code >= ZERO && code <= NINE) {
      whole = whole * 10 + (code - ZERO);
      code = text.charCodeAt(++at);
    }
    const length = at - digits;
    if (length === 0) throw this.error('expected a digit', at);
    if (length > 1 && text.charCodeAt(digits) === ZERO) throw this.error('a number with a leading zero', start);
    this.at = at;
    if (code === 0x2e || code === 0x65 || code === 0x45) return this.decimal(start);
    // Within 2^53 the sum above is exact, and whatever is rounded ends up beyond.
    if (whole <= Number.MAX_SAFE_INTEGER) return first === MINUS && whole !== 0 ? -whole : whole;
    const exact = length > INT64_DIGITS ? undefined : BigInt(text.slice(start, at));
    if (exact === undefined || exact > INT64_MAX || exact < INT64_MIN) throw this.error('an integer beyond 64 bits', start);
    return exact;
  }

  private decimal(start: number): Decimal {
    const { text } = this;
    if (text.charCodeAt(this.at) === 0x2e) {
      this.at++;
      this.digits();
    }
    const code = text.charCodeAt(this.at);
    if (code === 0x65 || code === 0x45) {
      const sign = text.charCodeAt(++this.at);
      if (sign === 0x2b || sign === MINUS) this.at++;
      this.digits();
    }
    const number = text.slice(start, this.at);
    if (!Number.isFinite(Number(number))) throw this.error('a number that is not finite as a double', start);
    return new Decimal(number);
  }

  private digits(): void {
    const { text } = this;
    const start = this.at;
    let code = text.charCodeAt(start);
    while (code >= ZERO && code <= NINE) code = text.charCodeAt(++this.at);
    if (this.at === start) throw this.error('expected a digit');
  }

  private word<T extends Json>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.error('expected a value');
    this.at += word.length;
    return value;
  }

  private count(): void {
    if (++this.tokens > this.maxTokens) throw this.error(`more than ${this.maxTokens} values and keys`);
  }

  private enter(): void {
    if (this.depth === this.maxDepth) throw this.error(`nested more than ${this.maxDepth} deep`, this.at, this.depth, 'TOO_DEEP');
    this.depth++;
    this.at++;
  }

  private leave<T>(out: T): T {
    this.depth--;
    this.at++;
    return out;
  }

  private error(problem: string, position = this.at, depth = this.depth, code: ErrorCode = 'BAD_JSON'): IngestError {
    const path = formatPath(this.path.slice(0, depth));
    const message = `${problem} at character ${position}`;
    return path === '' ? new IngestError(code, message, { position }) : new IngestError(code, `${message}, ${path}`, { position, path });
  }
}
