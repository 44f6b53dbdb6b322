import { describe, expect, it } from 'vitest';

import { IngestError } from '../../../src/errors.ts';
import { noAnswer } from '../../../src/outbound/answer.ts';
import { createCircuit } from '../../../src/outbound/circuit.ts';

const NOW = Date.UTC(2026, 10, 21, 10);
const away = new IngestError('SENDER_UNAVAILABLE', 'shop.example could not be asked');

function open() {
  const clock = { ms: NOW };
  const told: string[] = [];
  const circuit = createCircuit({
    width: 4,
    now: () => clock.ms,
    onLost: ({ reason }) => void told.push(`lost: ${reason}`),
    onFound: ({ outageMs }) => void told.push(`found after ${outageMs} ms`),
  });
  return { circuit, clock, told };
}

describe('a circuit', () => {
  it('stays open for any number of things that are refused: whoever refuses is there', () => {
    const { circuit, told } = open();
    const refused = new IngestError('SENDER_UNAVAILABLE', 'the sender answered 403', { isRefused: true });
    for (let i = 0; i < 10; i++) expect(circuit.failed(`thing ${i}`, refused)).toBe(false);
    expect([circuit.width(), told]).toEqual([4, []]);
    expect(['a', 'b', 'c'].map((thing) => circuit.failed(thing, away))).toEqual([false, false, true]);
  });

  it('stays open for one thing that always fails', () => {
    const { circuit, told } = open();
    for (let i = 0; i < 10; i++) expect(circuit.failed('poison', away)).toBe(false);
    expect([circuit.width(), told]).toEqual([4, []]);
  });

  it('closes at the third thing, lets one try when its time is up, and opens with an answer', () => {
    const { circuit, clock, told } = open();
    expect(['a', 'b', 'c'].map((thing) => circuit.failed(thing, away))).toEqual([false, false, true]);
    expect(circuit.width()).toBe(0);
    clock.ms = circuit.closedUntilMs();
    expect(circuit.width()).toBe(1);
    circuit.answered();
    expect([circuit.width(), told]).toEqual([4, [`lost: ${away.message}`, `found after ${clock.ms - NOW} ms`]]);
  });

  it('stays closed for longer each time, a minute at most, and tells of it once', () => {
    const { circuit, clock, told } = open();
    const waits: number[] = [];
    for (let i = 0; i < 30; i++) {
      if (!circuit.failed(`thing ${i}`, away)) continue;
      waits.push(circuit.closedUntilMs() - clock.ms);
      clock.ms = circuit.closedUntilMs();
    }
    expect(waits[0]).toBeLessThanOrEqual(500);
    expect(Math.max(...waits)).toBeGreaterThan(20_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
    expect(told).toHaveLength(1);
  });

  it('is closed for as long as an answer says, at once', () => {
    const { circuit } = open();
    expect(circuit.failed('a', noAnswer('answered 429', '90', NOW))).toBe(true);
    expect(circuit.closedUntilMs()).toBe(NOW + 90_000);
  });
});

it.each([
  ['seconds', '90', 90_000],
  ['a date', new Date(NOW + 90_000).toUTCString(), 90_000],
  ['a date that is over', new Date(NOW - 90_000).toUTCString(), 0],
  ['a year', '31536000', 3_600_000],
  ['nonsense', 'soon', undefined],
  ['nothing', undefined, undefined],
])('Retry-After: %s', (_what, text, waitMs) => expect(noAnswer('answered 429', text, NOW).context['waitMs']).toBe(waitMs));
