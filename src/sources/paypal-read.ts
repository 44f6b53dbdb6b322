/** Reading PayPal's objects, of version 2 of its payments and orders and of version 1, which subscriptions still pay with. */
import { money } from '../model/money.ts';
import { amountAt, idAt, listAt, objectAt, required, textAt, type Read } from './read.ts';

/** In the order in which one payment can reach them: of what happens in one second, the later wins. `settled` is a dispute's end. */
const PROGRESS =
  'created pending declined denied failed voided partially_captured captured completed partially_refunded refunded reversed disputed settled'.split(
    ' ',
  );

export function rankOf(status: string | undefined): number {
  return status === undefined ? 0 : PROGRESS.indexOf(status) + 1;
}

/** `status`, of version 1 `state`, in lower case; undefined where neither is told. */
export function statusAt(from: Read): string | undefined {
  return (textAt(from, 'status') ?? textAt(from, 'state'))?.toLowerCase();
}

/** `{ value, currency_code }`, of version 1 `{ total, currency }`; undefined when absent or null. */
export function moneyAt(from: Read, name: string): { readonly minor: bigint; readonly currency: string } | undefined {
  const read = objectAt(from, name);
  if (read === undefined) return undefined;
  const currency = required(textAt(read, 'currency_code') ?? textAt(read, 'currency'), read, 'currency_code');
  return { minor: money(required(amountAt(read, 'value') ?? amountAt(read, 'total'), read, 'value'), currency), currency };
}

/**
 * The id of an object that this one belongs to: told by name, or the last part of the `up` link's path, which is read and
 * never followed. Undefined where neither is of that kind.
 */
export function relatedId(
  from: Read,
  name: string,
  path: 'checkout/orders' | 'payments/authorizations' | 'payments/captures',
): string | undefined {
  const extra = objectAt(from, 'supplementary_data');
  const ids = extra === undefined ? undefined : objectAt(extra, 'related_ids');
  const told = ids === undefined ? undefined : idAt(ids, name);
  if (told !== undefined) return told;
  const up = listAt(from, 'links')?.find((link) => link.json['rel'] === 'up');
  const [, kind, id] = /^https:\/\/[^/]+\/v\d\/([a-z]+\/[a-z]+)\/(\w{1,64})$/.exec((up && textAt(up, 'href')) ?? '') ?? [];
  return kind === path ? id : undefined;
}
