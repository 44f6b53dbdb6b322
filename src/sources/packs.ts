/**
 * The packs that need nothing but a secret. Without a config file each serves under its own name as soon as that is set;
 * `square` must be told its URL and `generic` everything, so they stand in config files only.
 */
import { cloudevents } from './cloudevents.ts';
import { facts } from './facts.ts';
import { github } from './github.ts';
import { paypal } from './paypal.ts';
import { segment } from './segment.ts';
import { shopify } from './shopify.ts';
import type { SourceBuilder } from './source.ts';
import { standard } from './standard.ts';
import { stripe } from './stripe.ts';
import { woocommerce } from './woocommerce.ts';

export const PACKS: Readonly<Record<string, SourceBuilder>> = {
  facts: facts(),
  standard: standard(),
  shopify: shopify(),
  github: github(),
  cloudevents: cloudevents(),
  segment: segment(),
  stripe: stripe(),
  paypal: paypal(),
  woocommerce: woocommerce(),
};
