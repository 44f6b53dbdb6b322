import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import type { Delivery } from '../../../src/event.ts';
import { createVerifier, type Auth } from '../../../src/sources/auth.ts';
import { NOW_MS, OTHER_SECRET_TEXT, PUBLIC_KEY_TEXT, secret, SECRET_TEXT } from '../../support/deliveries.ts';

const verifier = (auth: Auth, ...texts: readonly string[]) =>
  createVerifier(
    'acme',
    auth,
    (texts.length === 0 ? [SECRET_TEXT] : texts).map((text) => secret(text)),
  );
const delivery = (headers: Readonly<Record<string, string>>, body = '{}'): Delivery => ({
  source: 'acme',
  body: Buffer.from(body),
  headers,
  receivedAtMs: NOW_MS,
});
const refused = expect.objectContaining({ code: 'BAD_SIGNATURE' });
const misconfigured = expect.objectContaining({ code: 'BAD_CONFIG' });

describe('an HMAC', () => {
  const stamp = String(NOW_MS / 1000);
  const sign = (text: string, algorithm = 'sha512') => createHmac(algorithm, secret().key).update(text).digest('base64');
  const hmac = {
    header: 'X-Sig',
    algorithm: 'sha512',
    encoding: 'base64',
    prefix: 'v2=',
    timestamp: 'X-Time',
    signed: 'v2:{timestamp}:{x-event-id}:{body}',
  } as const;
  const verify = verifier({ hmac });
  const headers = { 'x-sig': `v2=${sign(`v2:${stamp}:e-1:{}`)}`, 'x-time': stamp, 'x-event-id': 'e-1' };

  it('covers what the template names, in that order', () => {
    expect(verify(delivery(headers))).toBe(secret().id);
    for (const changed of [{ 'x-event-id': 'e-2' }, { 'x-sig': headers['x-sig'].slice(3) }, { 'x-event-id': '' }])
      expect(() => verify(delivery({ ...headers, ...changed }))).toThrow(refused);
  });
  it('holds a signed time to 300 s', () => {
    const at = (seconds: number) => {
      const time = String(NOW_MS / 1000 + seconds);
      return delivery({ ...headers, 'x-time': time, 'x-sig': `v2=${sign(`v2:${time}:e-1:{}`)}` });
    };
    for (const seconds of [-300, 300]) expect(verify(at(seconds))).toBe(secret().id);
    for (const seconds of [-301, 301]) expect(() => verify(at(seconds))).toThrow(expect.objectContaining({ code: 'STALE_SIGNATURE' }));
  });
  it('knows a header in a template whatever its case', () => {
    const either = verifier({ hmac: { ...hmac, signed: 'v2:{timestamp}:{X-Event-Id}:{body}' } });
    expect(either(delivery(headers))).toBe(secret().id);
  });
  it.each([
    ['a name that is nearly a header', { header: 'x', signed: '{x.y}{body}' }],
    ['no name', { header: 'x', signed: '{}{body}' }],
    ['a brace of its own', { header: 'x', signed: '{body}{x-event-id' }],
    ['the body in capitals', { header: 'x', signed: '{Body}.{body}' }],
    ['the time in capitals', { header: 'x', timestamp: 'x-time', signed: '{Timestamp}.{body}' }],
    ['a header that is none', { header: 'x sig' }],
    ['no body', { header: 'x', signed: 'x' }],
    ['the body twice', { header: 'x', signed: '{body}{body}' }],
    ['a time that is not signed', { header: 'x', timestamp: 'x-time' }],
    ['a signed time without its header', { header: 'x', signed: '{timestamp}{body}' }],
  ])('cannot be checked with %s', (_what, wrong) => expect(() => verifier({ hmac: wrong })).toThrow(misconfigured));
});

describe.each<[string, Auth, (text: string) => Readonly<Record<string, string>>]>([
  ['a bearer token', { token: {} }, (text) => ({ authorization: `Bearer ${text}` })],
  ['a token in a header of its own', { token: { header: 'X-Token' } }, (text) => ({ 'x-token': text })],
  ['a token after a word', { token: { header: 'x-token', prefix: 'Key ' } }, (text) => ({ 'x-token': `key ${text}` })],
  ['user and password', { basic: { user: 'acme' } }, (text) => ({ authorization: `Basic ${btoa(`acme:${text}`)}` })],
])('%s', (_what, auth, headers) => {
  const name = Object.keys(headers(''))[0] ?? '';
  const plain = 'a plain token of some length';

  it('is any of the live ones, as it was written', () => {
    const verify = verifier(auth, OTHER_SECRET_TEXT, SECRET_TEXT, plain);
    for (const text of [OTHER_SECRET_TEXT, SECRET_TEXT, plain]) expect(verify(delivery(headers(text)))).toBe(secret(text).id);
    expect(() => verifier(auth)(delivery(headers(OTHER_SECRET_TEXT)))).toThrow(refused);
  });
  it('is refused when it is not quite the one, missing or repeated', () => {
    const verify = verifier(auth, plain);
    for (const text of ['', plain.slice(1), plain.slice(0, -1), `${plain} `, plain.toUpperCase(), `${plain}, ${plain}`])
      expect(() => verify(delivery(headers(text)))).toThrow(refused);
    const text = headers(plain)[name] ?? '';
    for (const value of ['', 'Digest x', text.slice(1), `${text}, ${text}`])
      expect(() => verify(delivery({ [name]: value }))).toThrow(refused);
    expect(() => verify(delivery({}))).toThrow(refused);
  });
  it('is too short to start with below sixteen characters', () => expect(() => verifier(auth, 'short')).toThrow(misconfigured));
  it('is never a public key', () => {
    expect(() => verifier(auth, PUBLIC_KEY_TEXT)).toThrow(misconfigured);
    expect(() => verifier(auth, plain, PUBLIC_KEY_TEXT)(delivery(headers(PUBLIC_KEY_TEXT)))).toThrow(refused);
  });
});

it('a user with a colon cannot be told from its password', () => expect(() => verifier({ basic: { user: 'a:b' } })).toThrow(misconfigured));
it('another user is refused', () =>
  expect(() => verifier({ basic: { user: 'acme' } })(delivery({ authorization: `Basic ${btoa(`acm:${SECRET_TEXT}`)}` }))).toThrow(refused));
