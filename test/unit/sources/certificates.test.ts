import { expect, describe, it } from 'vitest';

import { readRoots, trustedLeaf } from '../../../src/sources/certificates.ts';
import { makeCertificate, makeKeys, type CertificateOptions } from '../../support/certificates.ts';
import { NOW_MS } from '../../support/deliveries.ts';
import { PAYPAL_HOST, paypalAuthority } from '../../support/paypal.ts';

const { root, issuer, keys, document } = paypalAuthority();
const roots = readRoots([root.pem]);
const [leaf = '', between = ''] = document.split(/(?<=-----END CERTIFICATE-----\n)/);
const others = makeKeys();
const believes = (text: string, over: { atMs?: number; hosts?: readonly string[] } = {}) =>
  trustedLeaf(text, { roots, hosts: [PAYPAL_HOST], atMs: NOW_MS, ...over }) !== undefined;
const leafOf = (over: Partial<CertificateOptions>) =>
  makeCertificate({ subject: PAYPAL_HOST, keys, issuer, hosts: [PAYPAL_HOST], ...over });

describe('a chain is believed', () => {
  it('from the first certificate over the others to a root, in whatever order they stand', () => {
    expect(believes(document)).toBe(true);
    const deeper = makeCertificate({ subject: 'A deeper issuer', keys: others, issuer, ca: true });
    const signed = leafOf({ issuer: { subject: 'A deeper issuer', keys: others } });
    expect(believes(`${signed}${deeper}${between}`)).toBe(true);
    expect(believes(`${signed}${between}${deeper}`)).toBe(true);
  });
  it('where a root itself issued the first, and where the root stands in the document too', () => {
    expect(believes(leafOf({ issuer: root }))).toBe(true);
    expect(believes(document + root.pem)).toBe(true);
  });
  it('by the subject’s name alone, as certificates had it before they had others', () =>
    expect(believes(leafOf({ hosts: [] }) + between)).toBe(true));
  it('with text around it, as openssl writes it', () => expect(believes(`subject=x\n${leaf}\nissuer=y\n${between}`)).toBe(true));
});

describe('a chain is not believed', () => {
  it.each([
    ['nothing', ''],
    ['no certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ['a page', '<html></html>'],
    ['the first alone', leaf],
    ['the others alone', between],
    ['the first in the second place', between + leaf],
    ['a certificate that signed itself', makeCertificate({ subject: PAYPAL_HOST, keys, hosts: [PAYPAL_HOST] })],
    ['a root of the same name and another key', leafOf({ issuer: { subject: root.subject, keys: others } })],
    ['an issuer of the same name and another key', leafOf({ issuer: { subject: issuer.subject, keys: others } }) + between],
    ['another name', leafOf({ subject: 'shop.example', hosts: ['shop.example'] }) + between],
    ['a name that ends alike', leafOf({ subject: `x${PAYPAL_HOST}`, hosts: [`x${PAYPAL_HOST}`, `${PAYPAL_HOST}.evil.example`] }) + between],
    ['a wildcard', leafOf({ subject: '*.paypal.com', hosts: ['*.paypal.com'] }) + between],
    ['nine certificates', document + root.pem.repeat(7)],
  ])('that is %s', (_what, text) => expect(believes(text)).toBe(false));

  it('that somebody vouches for who may not', () => {
    const anybody = makeCertificate({ subject: 'anybody.example', keys: others, issuer, hosts: ['anybody.example'] });
    const forged = leafOf({ issuer: { subject: 'anybody.example', keys: others } });
    expect(believes(forged + anybody + between)).toBe(false);
  });

  it.each([
    ['the first', (over: object) => leafOf(over) + between],
    [
      'the second',
      (over: object) => leaf + makeCertificate({ subject: issuer.subject, keys: issuer.keys, issuer: root, ca: true, ...over }),
    ],
  ])('before and after %s is in force', (_which, make) => {
    const text = make({ from: '261121090000Z', to: '261121100000Z' });
    for (const [atMs, is] of [
      [-1, false],
      [0, true],
      [3_600_000, true],
      [3_600_001, false],
    ] as const)
      expect(believes(text, { atMs: NOW_MS + atMs })).toBe(is);
  });

  it('under a root that has run out', () => {
    const old = makeCertificate({ subject: root.subject, keys: root.keys, ca: true, to: '261121080000Z' });
    expect(trustedLeaf(document, { roots: readRoots([old]), hosts: [PAYPAL_HOST], atMs: NOW_MS })).toBeUndefined();
  });

  it('under the roots of Node, which know nothing of this one', () =>
    expect(trustedLeaf(document, { roots: readRoots(), hosts: [PAYPAL_HOST], atMs: NOW_MS })).toBeUndefined());

  it.each(['€', '\u0000', '-----BEGIN CERTIFICATE-----'.repeat(3_000)])('whatever it is: %#', (text) =>
    expect(believes(leaf.slice(0, 300) + text)).toBe(false),
  );
});
