/** The shipped commerce model. A new provider is a parser into this model, never a schema migration. */
import { domainToASCII } from 'node:url';

import type { FactOf } from './facts.ts';
import { defineModel } from './model.ts';
import { integer, text, time, type PropertyType } from './values.ts';

/** One mailbox, one node, whoever sends it: trimmed, NFC, the domain as lower-case ASCII, the local part lower-case (a stated choice). */
const emailAddress: PropertyType<string> = { ...text, normalise: normaliseEmail };

const sourceAndId = { source: text, id: text } as const;

export const commerce = defineModel({
  nodes: {
    Customer: {
      key: sourceAndId,
      properties: {
        email: text,
        firstName: text,
        lastName: text,
        phone: text,
        country: text,
        currency: text,
        createdAt: time,
        updatedAt: time,
      },
      removable: true,
      doc: 'A buyer, as one source knows them.',
    },
    Order: {
      key: sourceAndId,
      properties: {
        name: text,
        status: text,
        financialStatus: text,
        fulfillmentStatus: text,
        currency: text,
        totalMinor: integer,
        createdAt: time,
        updatedAt: time,
        cancelledAt: time,
      },
      tieBreak: { status: ['pending', 'paid', 'fulfilled', 'cancelled', 'refunded'] },
      removable: true,
      doc: 'A purchase. `totalMinor` is in minor units of `currency`.',
    },
    Product: {
      key: sourceAndId,
      properties: { title: text, vendor: text, productType: text, sku: text, status: text, createdAt: time, updatedAt: time },
      doc: 'Something sold. A product that a shop deletes has status `deleted`.',
    },
    Payment: {
      key: sourceAndId,
      properties: { status: text, amountMinor: integer, currency: text, method: text, createdAt: time },
      doc: 'Money taken for an order.',
    },
    Refund: {
      key: sourceAndId,
      properties: { amountMinor: integer, currency: text, reason: text, createdAt: time },
      removable: true,
      doc: 'Money given back.',
    },
    Fulfillment: {
      key: sourceAndId,
      properties: { status: text, carrier: text, trackingNumber: text, createdAt: time },
      doc: 'A shipment.',
    },
    Email: { key: { address: emailAddress }, doc: 'An e-mail address; joins customers of different sources.' },
    Session: { key: sourceAndId, properties: { startedAt: time }, doc: 'A visit.' },
    PageView: {
      key: { source: text, sessionId: text, url: text, timestamp: time },
      properties: { title: text, referrer: text },
      doc: 'One page seen in one visit.',
    },
    Page: { key: { source: text, url: text }, properties: { title: text }, doc: 'A page of a site.' },
  },
  relationships: {
    PLACED: { from: 'Customer', to: 'Order', one: 'from', missing: 'stub' },
    CONTAINS: {
      from: 'Order',
      to: 'Product',
      key: { line: text },
      properties: { quantity: integer, unitPriceMinor: integer, totalMinor: integer, title: text, sku: text },
      replace: true,
      missing: 'stub',
    },
    PAYS: { from: 'Payment', to: 'Order', one: 'to', missing: 'park' },
    REFUNDS: { from: 'Refund', to: 'Order', one: 'to', missing: 'park' },
    FULFILLS: { from: 'Fulfillment', to: 'Order', one: 'to', missing: 'park' },
    HAS_EMAIL: { from: 'Customer', to: 'Email', one: 'to', missing: 'stub' },
    HAS_SESSION: { from: 'Customer', to: 'Session', one: 'from', missing: 'stub' },
    VIEWED: { from: 'Session', to: 'PageView', one: 'from', missing: 'stub' },
    OF: { from: 'PageView', to: 'Page', one: 'to', missing: 'stub' },
  },
});

/** What packs say. A wrong name does not compile where a fact is written in place, with its `set`; behind a variable it would. */
export type CommerceFact = FactOf<typeof commerce>;
type Upsert = Extract<CommerceFact, { readonly upsert: unknown }>['upsert'];
/** A customer, for the function that says their address as well. */
export type CommerceCustomer = Required<Pick<Extract<Upsert, { readonly node: 'Customer' }>, 'key' | 'set'>>;
/** One line of an order, for functions that make one. */
export type CommerceLine = Extract<CommerceFact, { readonly replace: unknown }>['replace']['links'][number];

function normaliseEmail(address: string): string {
  const lower = address.trim().toLowerCase().normalize('NFC');
  const at = lower.lastIndexOf('@');
  return at < 0 ? lower : `${lower.slice(0, at)}@${asciiDomain(lower.slice(at + 1))}`;
}

const ASCII = /^\p{ASCII}*$/u;
const ENDS_A_HOST = /[/\\?#:@%\s]/;

/**
 * UTS 46 by Node, which reads a URL's host: it would cut at `/`, decode `%41` and make `1` of it `0.0.0.1`, joining
 * mailboxes that differ. So only what needs it goes there; a domain that it refuses stays as written, lower-case.
 */
function asciiDomain(domain: string): string {
  return ASCII.test(domain) || ENDS_A_HOST.test(domain) ? domain : domainToASCII(domain) || domain;
}
