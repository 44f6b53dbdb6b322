/** What packs say of a customer's e-mail address in the graph, apart from the property: the `Email` node joins sources. */
import type { commerce } from '../model/commerce.ts';
import type { FactOf } from '../model/facts.ts';

/** Links the address, or clears the slot where there is none; nothing where the sender did not tell. */
export function emailFacts(
  customer: { readonly id: string; readonly source?: string },
  email: string | null | undefined,
): readonly FactOf<typeof commerce>[] {
  if (email === undefined) return [];
  if (email === null || email.trim() === '') return [{ clear: { relationship: 'HAS_EMAIL', owner: customer } }];
  return [{ link: { relationship: 'HAS_EMAIL', from: customer, to: { address: email } } }];
}
