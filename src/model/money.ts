/** Money as integer minor units, exactly: no float on the way, and never rounded. */
import { IngestError } from '../errors.ts';
import { Decimal } from './values.ts';

/** Digits after the point by ISO 4217, where they are not two. */
const EXPONENTS: ReadonlyMap<string, number> = new Map([
  ...each(0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'),
  ...each(3, 'BHD IQD JOD KWD LYD OMR TND'),
  ...each(4, 'CLF UYW'),
]);

const AMOUNT = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** Nothing longer is an amount; keeps hostile text cheap. */
const MAX_LENGTH = 400;
const INT64_DIGITS = 19;

export type Amount = string | number | bigint | Decimal;

/** The digits after the point of an ISO 4217 currency, upper or lower case. Throws `BAD_VALUE` for what is no code. */
export function exponentOf(currency: string): number {
  if (!/^[A-Za-z]{3}$/.test(currency)) throw bad(`${quote(currency)} is no ISO 4217 currency code`);
  return EXPONENTS.get(currency.toUpperCase()) ?? 2;
}

/**
 * An amount in major units (`"42.00"`) as minor units of its currency (4200n). `scale` overrules ISO 4217.
 * Throws `BAD_VALUE` for finer digits than the currency has (trailing zeros are none), beyond int64, or no amount.
 */
export function money(amount: Amount, currency: string, { scale = exponentOf(currency) }: { readonly scale?: number } = {}): bigint {
  if (typeof amount === 'number' && !Number.isSafeInteger(amount)) throw bad(`${amount} is a float; give its text`);
  const text = amount instanceof Decimal ? amount.text : String(amount);
  const m = text.length > MAX_LENGTH ? null : AMOUNT.exec(text);
  if (m === null) throw bad(`${quote(text)} is no amount`);
  const fraction = m[3] ?? '';
  const digits = `${m[2]}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return 0n;
  const shift = scale + Number(m[4] ?? 0) - fraction.length + digits.length - significant.length;
  if (shift < 0) throw bad(`${quote(text)} is finer than the ${scale} digits of ${currency}`);
  if (significant.length + shift > INT64_DIGITS) throw bad(`${quote(text)} ${currency} is beyond 64 bits`);
  const minor = BigInt(`${m[1]}${significant}`) * 10n ** BigInt(shift);
  if (BigInt.asIntN(64, minor) !== minor) throw bad(`${quote(text)} ${currency} is beyond 64 bits`);
  return minor;
}

function each(exponent: number, codes: string): [string, number][] {
  return codes.split(' ').map((code) => [code, exponent]);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function bad(problem: string): IngestError {
  return new IngestError('BAD_VALUE', problem);
}
