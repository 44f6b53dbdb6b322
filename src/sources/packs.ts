/** The packs that come with Eventgraft. Without a config file each serves under its own name as soon as its secret is set. */
import { facts } from './facts.ts';
import { github } from './github.ts';
import { shopify } from './shopify.ts';
import type { SourceBuilder } from './source.ts';
import { standard } from './standard.ts';
import { stripe } from './stripe.ts';

export const PACKS: Readonly<Record<string, SourceBuilder>> = {
  facts: facts(),
  standard: standard(),
  shopify: shopify(),
  github: github(),
  stripe: stripe(),
};
