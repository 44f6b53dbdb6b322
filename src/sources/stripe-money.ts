/**
 * Stripe writes amounts as integers of "the smallest unit", and for most currencies its unit is that of ISO 4217. Where
 * it is not, 500 UGX would become 50,000. (docs.stripe.com/currencies, "Zero-decimal currencies" and "Special cases")
 */
import { exponentOf, money } from '../model/money.ts';

/** Digits after the point in Stripe's amounts of charges, where they are listed; all else is as in ISO 4217. */
const SCALES: ReadonlyMap<string, number> = new Map([
  ...'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' ').map((code): [string, number] => [code, 0]),
  // Both have no minor unit any more and are still sent with two digits, which must be zeros. UGX stands in the list above, too: the special case wins.
  ['ISK', 2],
  ['UGX', 2],
]);

/** Stripe's integer in minor units of ISO 4217, exactly. Throws `BAD_VALUE` for no currency, or finer than the currency has digits. */
export function minorOf(amount: number | bigint, currency: string): bigint {
  return money(`${amount}e-${SCALES.get(currency.toUpperCase()) ?? exponentOf(currency)}`, currency);
}
