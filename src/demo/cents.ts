/** Dollars as decimal text, in whole cents. */

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/** Half a cent is rounded up, away from zero; no float on the way. Throws for what is no plain decimal. */
export function cents(text: string): number {
  const [, sign, whole, fraction = ''] = DECIMAL.exec(text) ?? [];
  if (whole === undefined) throw new Error(`${JSON.stringify(text)} is no decimal number`);
  const digits = Number(`${whole}${fraction.slice(0, 2).padEnd(2, '0')}`) + (fraction.charAt(2) >= '5' ? 1 : 0);
  return sign === '-' && digits > 0 ? -digits : digits;
}
