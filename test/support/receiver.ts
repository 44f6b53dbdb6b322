/** `serve` in this process, as main.ts builds it: every pack under its own name, what must be described under names of ours, and somebody to sign for each. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { tellStory, type Happening } from '../../src/cli/sample.ts';
import { SAMPLES, type PackName } from '../../src/cli/sample-packs.ts';
import { loadConfig, secretVariable, type Config } from '../../src/config.ts';
import type { Delivery } from '../../src/event.ts';
import type { GraphAddress } from '../../src/graph/driver.ts';
import { loadSetup, type Setup } from '../../src/load-config.ts';
import { createLog } from '../../src/log.ts';
import { startService, type Role } from '../../src/main.ts';
import { PACKS } from '../../src/sources/packs.ts';
import { paypal } from '../../src/sources/paypal.ts';
import type { Source } from '../../src/sources/source.ts';
import {
  cloudeventDelivery,
  githubDelivery,
  segmentDelivery,
  secret,
  SECRET_TEXT,
  shopifyDelivery,
  standardDelivery,
  stripeDelivery,
  woocommerceDelivery,
  type Sign,
} from './deliveries.ts';
import { DESCRIBED } from './described.ts';
import { PAYPAL_WEBHOOK, paypalAuthority, paypalBody, paypalDelivery, servePaypal } from './paypal.ts';

export interface ReceiverOptions {
  readonly redisUrl: string;
  readonly prefix: string;
  /** With a graph it works, too. */
  readonly neo4j?: GraphAddress;
  readonly env?: Readonly<Record<string, string>>;
  /** Everything that it logs. */
  readonly onLog?: (line: string) => void;
}

export const RECEIVER_TOKEN = 'token-of-a-receiver-in-a-test-process';

/** Without limits of rate, since one address sends all there is, and of lag, since tests share the machine; tests of those set them. */
export async function startReceiver({ redisUrl, prefix, neo4j, env = {}, onLog = () => undefined }: ReceiverOptions) {
  const config = loadConfig({
    PORT: '0',
    ADMIN_TOKEN: RECEIVER_TOKEN,
    EVENTGRAFT_QUEUE_PREFIX: prefix,
    EVENTGRAFT_MAX_ADDRESS_RATE: '0',
    EVENTGRAFT_MAX_SOURCE_RATE: '0',
    EVENTGRAFT_MAX_LAG: '0',
    ...Object.fromEntries(Object.keys(PACKS).map((name) => [secretVariable(name), SECRET_TEXT])),
    [secretVariable('paypal')]: PAYPAL_WEBHOOK,
    ...env,
  });
  const setup = await loadBuiltIn(config);
  const roles: readonly Role[] = neo4j === undefined ? ['serve'] : ['serve', 'work'];
  const log = createLog({ level: 'warn' }, { write: onLog });
  const ofPaypal = await servePaypal();
  const settings = { name: 'paypal', model: setup.model, secrets: config.secretsOf('paypal') };
  const trusting = ofPaypal.redirect(paypal({ roots: [paypalAuthority().root.pem] }))(settings);
  const described = Object.entries(DESCRIBED).map(([name, { builder }]): [string, Source] => [
    name,
    builder({ name, model: setup.model, secrets: [secret()] }),
  ]);
  const sources = new Map([...setup.sources, ['paypal', trusting], ...described]);
  const service = await startService({ config, setup: { ...setup, sources }, roles, redisUrl, neo4j, log });
  return {
    ...service,
    /** What was asked of PayPal's host. */
    askedOfPaypal: ofPaypal.asked,
    async close() {
      await service.close();
      ofPaypal.close();
    },
  };
}

/** The packs under their own names, whatever config file lies where the tests run. */
async function loadBuiltIn(config: Config): Promise<Setup> {
  const empty = mkdtempSync(join(tmpdir(), 'eg-receiver-'));
  try {
    return await loadSetup(config, { cwd: empty });
  } finally {
    rmSync(empty, { recursive: true });
  }
}

interface Sender {
  readonly sign: (sign: Sign) => Delivery;
  /** Bodies as this sender has them. */
  readonly bodies: readonly string[];
}

/** One for each of `PACKS`, by its name; whoever adds a pack adds its sender here. */
const SIGNERS: Readonly<Record<string, (sign: Sign) => Delivery>> = {
  facts: (s) => standardDelivery(s),
  standard: (s) => standardDelivery(s, 'svix'),
  cloudevents: (s) => cloudeventDelivery(s),
  shopify: (s) => shopifyDelivery(s),
  github: (s) => githubDelivery(s),
  stripe: (s) => stripeDelivery(s),
  woocommerce: (s) => woocommerceDelivery(s),
  segment: (s) => segmentDelivery(s),
  paypal: (s) => paypalDelivery(s),
};

/** Nobody can sign as PayPal, so `send` has no samples of it. */
function bodyOf(name: string): ((happening: Happening) => string) | undefined {
  if (name === 'paypal') return paypalBody;
  return Object.hasOwn(SAMPLES, name) ? (happening) => SAMPLES[name as PackName](happening).body : undefined;
}

export const SENDERS: Readonly<Record<string, Sender>> = Object.fromEntries(
  [...Object.keys(PACKS), ...Object.keys(DESCRIBED)].map((name) => {
    const sign = SIGNERS[name] ?? DESCRIBED[name]?.sign;
    const body = DESCRIBED[name]?.bodyOf ?? bodyOf(name);
    if (sign === undefined || body === undefined) throw new Error(`nobody signs for ${name}: see SIGNERS`);
    return [name, { sign, bodies: tellStory(`bodies of ${name}`, 40).map(body) }];
  }),
);
