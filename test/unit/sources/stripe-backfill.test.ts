/** Webhooks and a backfill of the same objects, in any order: the same graph as the webhooks alone, for whatever they tell. */
import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseJson } from '../../../src/json.ts';
import { commerce } from '../../../src/model/commerce.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { createWorld } from '../../../src/model/world.ts';
import { isIgnored } from '../../../src/sources/source.ts';
import { stripe } from '../../../src/sources/stripe.ts';
import { testData, unless } from '../../support/data.ts';
import { sourceOf } from '../../support/deliveries.ts';

const source = sourceOf(stripe());
const lists = source.backfill;
if (lists === undefined) throw new Error('it has no backfill');
const BEGAN = 1_740_000_000;
const RANGE = { from: 0n, to: undefined };

type Thing = Readonly<Record<string, unknown>>;
interface Taken {
  readonly id: string;
  readonly body: string;
  readonly bodyHash: string;
}

/** At `seconds` after the beginning an event of `type` shows an object of a list. */
interface Step {
  readonly type: string;
  readonly list: string;
  readonly seconds: number;
  readonly object: Thing;
}

const webhook = ({ type, seconds, object }: Step, index: number): Taken => ({
  id: `evt_${index}`,
  body: JSON.stringify({ id: `evt_${index}`, object: 'event', type, created: BEGAN + seconds, data: { object } }),
  bodyHash: index.toString(16).padStart(64, '0'),
});

/** What the lists show after these steps, in a run whose first answer came so many seconds after the beginning. */
function listed(steps: readonly Step[], seconds: number): Taken[] {
  const latest = new Map(steps.map((step) => [`${step.list} ${String(step.object['id'])}`, step]));
  return [...latest.values()].flatMap(({ list, object }) => {
    const text = JSON.stringify({ object: 'list', has_more: false, data: [object] });
    const ms = (BEGAN + seconds) * 1_000;
    return [...(lists?.read({ text, atMs: ms, firstMs: ms }, { stream: list, range: RANGE, cursor: undefined }).found ?? [])];
  });
}

function graphOf(taken: readonly Taken[]) {
  const world = createWorld(commerce);
  for (const { id, body, bodyHash } of taken) {
    const event = { source: 'acme', id, body, bodyHash, headers: {}, receivedAtMs: BEGAN * 1_000 + 10 ** 9 };
    const said = source.map(event, parseJson(body));
    if (!isIgnored(said)) world.apply(resolve(commerce, event, said).facts);
  }
  return world.graph();
}

const propertiesOf = (taken: readonly Taken[], key: string): unknown => graphOf(taken).nodes.get(key);

/** The order in which all of it comes, by a number for each. */
const shuffled = (taken: readonly Taken[], keys: readonly number[]): Taken[] =>
  taken
    .map((one, index) => ({ one, key: keys[index % keys.length] ?? 0 }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ one }) => one);

const arrival = fc.array(fc.nat(1_000), { minLength: 20, maxLength: 20 });
const recorded = (name: string): Thing => {
  const file = testData('stripe', 'webhook_fixtures', `${name}.json`);
  return file === undefined ? {} : (JSON.parse(readFileSync(file, 'utf8')) as { data: { object: Thing } }).data.object;
};

const PAYMENT = 'pi_1';
const refundOf = (seconds: number): Thing => ({
  id: `re_${seconds}`,
  object: 'refund',
  amount: 50,
  currency: 'usd',
  status: 'succeeded',
  payment_intent: PAYMENT,
  created: BEGAN + seconds,
});

/** What can happen to a captured payment, each at most once. */
type Happening = 'refund' | 'refund the rest' | 'dispute' | 'update' | 'end';

/** A life of one payment as Stripe tells it: `gaps` are the seconds between its steps. */
function lifeOf(happenings: readonly Happening[], gaps: readonly number[], end: string): Step[] {
  let seconds = 10;
  let charge: Thing = {
    ...recorded('charge.succeeded'),
    id: 'ch_1',
    payment_intent: PAYMENT,
    created: BEGAN + 9,
    amount: 100,
    amount_captured: 100,
    amount_refunded: 0,
    captured: true,
    refunded: false,
    disputed: false,
    status: 'succeeded',
    currency: 'usd',
    refunds: { data: [], has_more: false },
  };
  const intent = (over: Thing): Thing => ({
    ...recorded('payment_intent.succeeded'),
    id: PAYMENT,
    created: BEGAN,
    amount: 100,
    amount_received: 100,
    currency: 'usd',
    latest_charge: 'ch_1',
    ...over,
  });
  let dispute: Thing | undefined;
  const refunds: Thing[] = [];
  const waits = intent({ status: 'requires_payment_method', amount_received: 0, latest_charge: null });
  const steps: Step[] = [
    { type: 'payment_intent.created', list: 'intents', seconds: 0, object: waits },
    { type: 'charge.succeeded', list: 'charges', seconds, object: charge },
    { type: 'payment_intent.succeeded', list: 'intents', seconds, object: intent({ status: 'succeeded' }) },
  ];
  happenings.forEach((happening, index) => {
    seconds += 2 + (gaps[index] ?? 0);
    const isEnded = dispute !== undefined && ['won', 'lost', 'warning_closed'].includes(String(dispute['status']));
    if (happening.startsWith('refund')) {
      if (charge['refunded'] === true) return;
      refunds.unshift(refundOf(seconds));
      const refunded = happening === 'refund the rest';
      charge = { ...charge, refunded, amount_refunded: refunded ? 100 : 50, refunds: { data: [...refunds], has_more: false } };
      steps.push({ type: 'charge.refunded', list: 'charges', seconds, object: charge });
    } else if (happening === 'dispute' && dispute === undefined) {
      dispute = { ...recorded('charge.dispute.created'), id: 'dp_1', payment_intent: PAYMENT, created: BEGAN + seconds };
      charge = { ...charge, disputed: true };
      steps.push({ type: 'charge.dispute.created', list: 'disputes', seconds, object: dispute });
      steps.push({ type: 'charge.updated', list: 'charges', seconds, object: charge });
    } else if (happening !== 'dispute' && dispute !== undefined && !isEnded) {
      dispute = { ...dispute, status: happening === 'end' ? end : 'under_review' };
      steps.push({ type: `charge.dispute.${happening === 'end' ? 'closed' : 'updated'}`, list: 'disputes', seconds, object: dispute });
    }
  });
  return steps;
}

describe.skipIf(testData('stripe') === undefined)(`a payment${unless(testData('stripe'))}`, () => {
  const life = fc
    .tuple(
      fc.shuffledSubarray<Happening>(['refund', 'refund the rest', 'dispute', 'update', 'end']),
      fc.array(fc.nat(5), { minLength: 5, maxLength: 5 }),
      fc.constantFrom('won', 'lost', 'warning_closed'),
    )
    .map(([happenings, gaps, end]) => lifeOf(happenings, gaps, end));

  it('ends the same with a backfill at any point of its life, in whatever order all of it comes', () => {
    fc.assert(
      fc.property(life, fc.nat(), arrival, (steps, cut, keys) => {
        const end = steps[2 + (cut % (steps.length - 2))]?.seconds ?? 0;
        const known = steps.filter(({ seconds }) => seconds <= end);
        const webhooks = steps.map(webhook);
        const alone = propertiesOf(webhooks, `Payment/acme/${PAYMENT}`);
        expect(propertiesOf(shuffled([...webhooks, ...listed(known, end + 1)], keys), `Payment/acme/${PAYMENT}`)).toEqual(alone);
      }),
      { numRuns: 500 },
    );
  });

  it('is the same by a backfill alone', () => {
    fc.assert(
      fc.property(life, arrival, (steps, keys) => {
        const status = (taken: readonly Taken[]) => propertiesOf(taken, `Payment/acme/${PAYMENT}`);
        const alone = status(steps.map(webhook));
        expect(status(shuffled(listed(steps, 10_000), keys))).toEqual(alone);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['won', 'warning_closed', 'prevented'])('that was given back is never captured again by a dispute that is %s', (end) => {
    fc.assert(
      fc.property(fc.shuffledSubarray<Happening>(['refund the rest', 'dispute', 'end'], { minLength: 3 }), arrival, (happenings, keys) => {
        const steps = lifeOf(happenings, [], end);
        const { status } = propertiesOf(shuffled([...steps.map(webhook), ...listed(steps, 100)], keys), `Payment/acme/${PAYMENT}`) as Thing;
        expect(['refunded', 'dispute_ended', 'disputed']).toContain(status);
      }),
      { numRuns: 100 },
    );
  });

  it('that is given back while a dispute lasts stays so when it ends', () => {
    const steps = lifeOf(['dispute', 'refund the rest', 'end'], [], 'warning_closed');
    expect(propertiesOf(steps.map(webhook), `Payment/acme/${PAYMENT}`)).toMatchObject({ status: 'refunded' });
    expect(propertiesOf(listed(steps, 100), `Payment/acme/${PAYMENT}`)).toMatchObject({ status: 'refunded' });
  });

  it('that was tried again waits, though the list has the attempt that failed', () => {
    const failed = {
      id: 'ch_0',
      object: 'charge',
      status: 'failed',
      payment_intent: PAYMENT,
      amount: 100,
      currency: 'usd',
      created: BEGAN + 5,
    };
    const intent = { id: PAYMENT, object: 'payment_intent', amount: 100, currency: 'usd', created: BEGAN, status: 'requires_action' };
    const steps = [
      { type: 'charge.failed', list: 'charges', seconds: 5, object: failed },
      { type: 'payment_intent.requires_action', list: 'intents', seconds: 8, object: { ...intent, last_payment_error: null } },
    ];
    const alone = propertiesOf(steps.map(webhook), `Payment/acme/${PAYMENT}`);
    expect(alone).toMatchObject({ status: 'pending' });
    expect(propertiesOf([...listed(steps, 9), ...steps.map(webhook)], `Payment/acme/${PAYMENT}`)).toEqual(alone);
  });
});

describe('a session', () => {
  const session: Thing = { ...recorded('checkout.session.completed'), id: 'cs_1', created: BEGAN, expires_at: BEGAN + 600 };
  const ways: Readonly<Record<string, readonly Step[]>> = {
    'that ran out': [
      {
        type: 'checkout.session.expired',
        list: 'sessions',
        seconds: 603,
        object: { ...session, status: 'expired', payment_status: 'unpaid' },
      },
    ],
    'that was ended by hand': [
      {
        type: 'checkout.session.expired',
        list: 'sessions',
        seconds: 300,
        object: { ...session, status: 'expired', payment_status: 'unpaid' },
      },
    ],
    'that was paid': [
      {
        type: 'checkout.session.completed',
        list: 'sessions',
        seconds: 60,
        object: { ...session, status: 'complete', payment_status: 'paid' },
      },
    ],
    'whose payment came later and failed': ['completed', 'async_payment_failed'].map((verb, index) => ({
      type: `checkout.session.${verb}`,
      list: 'sessions',
      seconds: 60 + 90 * index,
      object: { ...session, status: 'complete', payment_status: 'unpaid' },
    })),
  };

  it.each(Object.entries(ways))('%s ends the same with a backfill, in any order', (_, steps) => {
    const webhooks = steps.map(webhook);
    const alone = propertiesOf(webhooks, 'Order/acme/cs_1');
    fc.assert(
      fc.property(fc.constantFrom(400, 700, 10_000), arrival, (seconds, keys) => {
        expect(propertiesOf(shuffled([...webhooks, ...listed(steps, seconds)], keys), 'Order/acme/cs_1')).toEqual(alone);
      }),
      { numRuns: 50 },
    );
  });

  it('of a list alone is cancelled at its own time, and at none where that is still to come', () => {
    const [expired] = ways['that ran out'] ?? [];
    if (expired === undefined) throw new Error('no such session');
    expect(propertiesOf(listed([expired], 700), 'Order/acme/cs_1')).toMatchObject({
      status: 'cancelled',
      cancelledAt: BigInt(BEGAN + 600) * 1_000_000_000n,
    });
    const early = propertiesOf(listed([expired], 400), 'Order/acme/cs_1');
    expect(early).toMatchObject({ status: 'cancelled' });
    expect(early).not.toHaveProperty('cancelledAt');
    expect(early).not.toHaveProperty('updatedAt');
  });
});

it('a customer’s last change is not the moment of the backfill', () => {
  const customer = { id: 'cus_1', object: 'customer', email: 'a@b.example', created: BEGAN };
  const steps = [{ type: 'customer.updated', list: 'customers', seconds: 5, object: customer }];
  const alone = propertiesOf(steps.map(webhook), 'Customer/acme/cus_1');
  expect(propertiesOf([...steps.map(webhook), ...listed(steps, 100)], 'Customer/acme/cus_1')).toEqual(alone);
});
