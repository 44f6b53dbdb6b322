import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { acknowledging, acknowledgeAt } from '../../../src/sources/gateway.ts';
import { generic, type GenericOptions } from '../../../src/sources/generic.ts';
import { standard } from '../../../src/sources/standard.ts';
import { sourceOf } from '../../support/deliveries.ts';

const URL_TEXT = 'https://gateway.example/api/events';
const bad = (message: string) => expect.objectContaining({ code: 'BAD_CONFIG', message: expect.stringContaining(message) });

describe('where a gateway is told', () => {
  it.each([URL_TEXT, `${URL_TEXT}/`])('is below %s', (url) => {
    const at = acknowledgeAt('radar', { url });
    expect([at.origin, at.urlOf('evt_1', 'ack'), at.urlOf('evt_1', 'fail')]).toEqual([
      'https://gateway.example',
      `${URL_TEXT}/evt_1/ack`,
      `${URL_TEXT}/evt_1/fail`,
    ]);
  });

  it('is one step below it whatever the id, and that step says the id', () =>
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((id) => id.isWellFormed()),
        (id) => {
          const to = acknowledgeAt('radar', { url: URL_TEXT }).urlOf(id, 'ack');
          if (to === undefined) return id === '.' || id === '..';
          const [step = '', verdict, ...more] = new URL(to).pathname.slice('/api/events/'.length).split('/');
          expect([decodeURIComponent(step), verdict, more, new URL(to).search, new URL(to).hash]).toEqual([id, 'ack', [], '', '']);
          return true;
        },
      ),
    ));

  it.each(['.', '..'])('is nowhere for the id %s', (id) =>
    expect(acknowledgeAt('radar', { url: URL_TEXT }).urlOf(id, 'ack')).toBeUndefined(),
  );

  it.each(['gateway.example', 'https://user:password@gateway.example/', `${URL_TEXT}?token=x`, `${URL_TEXT}#x`])('is not %s', (url) =>
    expect(() => acknowledgeAt('radar', { url })).toThrow(bad('radar.acknowledge.url')),
  );
});

describe('the token', () => {
  it('is a bearer token', () => expect(acknowledgeAt('x', { url: URL_TEXT }).headers('t')).toEqual({ authorization: 'Bearer t' }));
  it('is as it is in a header of another name', () =>
    expect(acknowledgeAt('x', { url: URL_TEXT, header: 'X-Admin-Token' }).headers('t')).toEqual({ 'x-admin-token': 't' }));
  it('has no header with such a name', () =>
    expect(() => acknowledgeAt('x', { url: URL_TEXT, header: 'x: y' })).toThrow(bad('x.acknowledge.header')));
});

describe('a source', () => {
  it('of any pack reports where it is told to, and is otherwise what it was', () => {
    const source = sourceOf(acknowledging(standard(), { url: URL_TEXT }));
    expect([source.version, source.acknowledge?.origin, sourceOf(standard()).acknowledge]).toEqual([
      'standard@1',
      'https://gateway.example',
      undefined,
    ]);
  });

  const described = (identity: GenericOptions['identity'], type: GenericOptions['type'] = 'type') =>
    generic({ auth: { token: {} }, identity, type, time: 'at', events: [], acknowledge: { url: URL_TEXT, header: 'x-api-key' } });

  it.each([{ header: 'x-event-id' }, { body: 'event_id' }])('of a description with an id that the gateway gave, too: %j', (identity) =>
    expect(sourceOf(described(identity)).acknowledge?.headers('t')).toEqual({ 'x-api-key': 't' }),
  );
  it.each([{ fields: ['id', 'action'] }, { hash: [] }])('but not with one that we made: %j', (identity) =>
    expect(() => sourceOf(described(identity))).toThrow(bad('acknowledge: a gateway knows the ids that it gave')),
  );
  it('nor with one that begins with a type of ours', () =>
    expect(() => sourceOf(described({ body: 'event_id' }, { header: 'x-event' }))).toThrow(bad('acknowledge: a gateway knows the ids')));
});
