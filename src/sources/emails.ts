/** What packs say of a customer's e-mail address in the graph, apart from the property: the `Email` node joins sources. */
import type { CommerceFact } from '../model/commerce.ts';

/** Links the address, or clears the slot where there is none; nothing where the sender did not tell. */
export function emailFacts(
  customer: { readonly id: string; readonly source?: string },
  email: string | null | undefined,
): readonly CommerceFact[] {
  if (email === undefined) return [];
  if (email === null || email.trim() === '') return [{ clear: { relationship: 'HAS_EMAIL', owner: customer } }];
  return [{ link: { relationship: 'HAS_EMAIL', from: customer, to: { address: email } } }];
}
