/**
 * Payments, refunds and disputes. A payment intent and the charges that try to settle it are one payment: its key is the
 * intent's id, and a charge's own only where there is no intent. docs/guides/stripe.md has the tables.
 */
import type { CommerceFact } from '../model/commerce.ts';
import { parseInstant } from '../model/instant.ts';
import { idAt, objectAt, required, textAt, type Read } from './read.ts';
import { amountAt, currencyAt, instantOf, orderAt, pageAt, refAt, secondsAt, type Said, type Told } from './stripe-read.ts';

/** In the order in which one payment can reach them: among events of one second, the later wins. */
const PROGRESS = [
  'pending',
  'failed',
  'authorized',
  'captured',
  'cancelled',
  'partially_refunded',
  'refunded',
  'disputed',
  'dispute_ended',
  'charged_back',
] as const;
type Status = (typeof PROGRESS)[number];
const SETTLED = PROGRESS.length;

const OF_INTENT: ReadonlyMap<string, Status> = new Map([
  ['requires_payment_method', 'pending'],
  ['requires_confirmation', 'pending'],
  ['requires_action', 'pending'],
  ['processing', 'pending'],
  ['requires_capture', 'authorized'],
  ['succeeded', 'captured'],
  ['canceled', 'cancelled'],
]);

/** How a dispute ended; while it lasts the payment is `disputed`. Whether what was kept had been given back before, a dispute does not know. */
const OF_DISPUTE: ReadonlyMap<string, Status> = new Map([
  ['won', 'dispute_ended'],
  ['warning_closed', 'dispute_ended'],
  ['prevented', 'dispute_ended'],
  ['lost', 'charged_back'],
]);

export function intentSaid(intent: Read, event: Told): Said {
  const id = required(idAt(intent, 'id'), intent, 'id');
  // A declined attempt brings the intent back to requires_payment_method, as if nothing had happened.
  const status = event.type === 'payment_intent.payment_failed' ? 'failed' : OF_INTENT.get(textAt(intent, 'status') ?? '');
  const currency = currencyAt(intent);
  const received = status === 'captured' ? amountAt(intent, 'amount_received', currency) : undefined;
  // What became of the money afterwards its charge and disputes know.
  const isOld = status === 'captured' && event.since === undefined;
  return {
    facts: [
      {
        upsert: {
          node: 'Payment',
          key: { id },
          set: {
            status: isOld ? undefined : status,
            amountMinor: received ?? amountAt(intent, 'amount', currency),
            currency,
            createdAt: secondsAt(intent, 'created'),
          },
        },
      },
      ...(isOld ? statusAsOf(id, status, secondsAt(intent, 'created')) : []),
      ...paysFacts(id, intent, event),
    ],
    sequence: sequenceOf(status),
  };
}

export function chargeSaid(charge: Read, event: Told): Said {
  const intent = refAt(charge, 'payment_intent');
  const id = intent ?? required(idAt(charge, 'id'), charge, 'id');
  const status = event.type === 'charge.expired' ? 'cancelled' : statusOfCharge(charge);
  // In a list: an attempt is the intent's to tell, and what came first, a refund or a dispute, theirs.
  const isTold = event.since !== undefined || (charge.json['disputed'] !== true && !(typeof intent === 'string' && isAttempt(status)));
  const currency = currencyAt(charge);
  const captured = charge.json['captured'] === true ? amountAt(charge, 'amount_captured', currency) : undefined;
  const refunds = event.type === 'charge.refunded' ? (pageAt(charge, 'refunds')?.items ?? []) : [];
  const facts: CommerceFact[] = [
    {
      upsert: {
        node: 'Payment',
        key: { id },
        set: {
          status: isTold ? status : undefined,
          amountMinor: captured ?? amountAt(charge, 'amount', currency),
          currency,
          method: methodOf(charge),
          // The intent was there first, and its time is the payment's.
          createdAt: typeof intent === 'string' ? undefined : secondsAt(charge, 'created'),
        },
      },
    },
    ...(isTold || status !== 'refunded' ? [] : statusAsOf(id, status, newestOf(refunds))),
    ...paysFacts(id, charge, event),
    ...refunds.flatMap((refund) => refundFacts(refund, event, orderAt(charge, event))),
  ];
  return { facts, sequence: sequenceOf(status) };
}

function isAttempt(status: Status | undefined): boolean {
  return status === 'failed' || status === 'pending';
}

/** Nothing where the time is not known. */
function statusAsOf(id: string, status: Status, at: string | undefined): CommerceFact[] {
  return at === undefined ? [] : [{ upsert: { node: 'Payment', key: { id }, set: { status }, at } }];
}

function newestOf(refunds: readonly Read[]): string | undefined {
  const seconds = refunds.map(({ json }) => json['created']).filter((created) => typeof created === 'number');
  return seconds.length === 0 ? undefined : instantOf(Math.max(...seconds));
}

/** Undefined where the charge cannot know: after a dispute, only the dispute does. */
function statusOfCharge(charge: Read): Status | undefined {
  const { captured, refunded, disputed, paid, amount_refunded: givenBack } = charge.json;
  const status = textAt(charge, 'status');
  if (status === 'failed' || status === 'pending') return status;
  if (refunded === true) return captured === false ? 'cancelled' : 'refunded';
  if (disputed === true) return undefined;
  if (typeof givenBack === 'number' && givenBack > 0) return 'partially_refunded';
  // Before 2014 there was no status.
  if (status !== 'succeeded' && paid !== true) return undefined;
  return captured === false ? 'authorized' : 'captured';
}

function methodOf(charge: Read): string | null | undefined {
  const details = objectAt(charge, 'payment_method_details');
  return details === undefined ? undefined : textAt(details, 'type');
}

/** Told as of when it was opened, as long as it lasts and when it ends: what happens to the payment meanwhile, such as a refund, is newer. */
export function disputeSaid(dispute: Read, event: Told): Said {
  const id = refAt(dispute, 'payment_intent') ?? required(refAt(dispute, 'charge'), dispute, 'charge');
  const stands = required(textAt(dispute, 'status'), dispute, 'status');
  const ended = OF_DISPUTE.get(stands);
  return {
    facts: statusAsOf(id, ended ?? 'disputed', openedAt(dispute, event)),
    sequence: sequenceOf(ended ?? 'disputed'),
  };
}

/** Never later than the event. */
function openedAt(dispute: Read, { at }: Told): string {
  const made = secondsAt(dispute, 'created') ?? at;
  return (parseInstant(made) ?? 0n) < (parseInstant(at) ?? 0n) ? made : at;
}

/** Created comes before whatever `charge.refunded` of the same second says, and the rest after it. */
export function refundSaid(refund: Read, event: Told): Said {
  const sequence = event.type === 'refund.created' ? 0 : event.type === 'refund.failed' ? SETTLED + 1 : SETTLED;
  return { facts: refundFacts(refund, event), sequence };
}

/** A refund that failed or was cancelled gave nothing back. */
function refundFacts(refund: Read, event: Told, orderOfCharge?: ReturnType<typeof orderAt>): CommerceFact[] {
  const id = required(idAt(refund, 'id'), refund, 'id');
  const status = textAt(refund, 'status');
  if (event.type === 'refund.failed' || status === 'failed' || status === 'canceled') return [{ remove: { node: 'Refund', key: { id } } }];
  const currency = currencyAt(refund);
  const facts: CommerceFact[] = [
    {
      upsert: {
        node: 'Refund',
        key: { id },
        set: {
          amountMinor: amountAt(refund, 'amount', currency),
          currency,
          reason: textAt(refund, 'reason'),
          createdAt: secondsAt(refund, 'created'),
        },
      },
    },
  ];
  const to = orderAt(refund, event) ?? orderOfCharge;
  if (to !== undefined) facts.push({ link: { relationship: 'REFUNDS', from: { id }, to } });
  return facts;
}

function paysFacts(id: string, from: Read, event: Told): CommerceFact[] {
  const to = orderAt(from, event);
  return to === undefined ? [] : [{ link: { relationship: 'PAYS', from: { id }, to } }];
}

function sequenceOf(status: Status | undefined): number {
  return status === undefined ? 0 : PROGRESS.indexOf(status);
}
