/** What packs say of a customer: the person, and apart from the property their e-mail address in the graph, which joins sources. */
import type { CommerceCustomer, CommerceFact } from '../model/commerce.ts';

/** Links the address, or clears the slot where there is none; nothing where the sender did not tell. */
export function upsertCustomer(customer: CommerceCustomer): CommerceFact[] {
  return [{ upsert: { node: 'Customer', ...customer } }, ...emailFacts(customer.key, customer.set.email)];
}

function emailFacts(customer: CommerceCustomer['key'], email: string | null | undefined): readonly CommerceFact[] {
  if (email === undefined) return [];
  if (email === null || email.trim() === '') return [{ clear: { relationship: 'HAS_EMAIL', owner: customer } }];
  return [{ link: { relationship: 'HAS_EMAIL', from: customer, to: { address: email } } }];
}
