import { expect, test } from 'vitest';
import { planStorm } from '../../../src/demo/storm.ts';

const events = Array.from({ length: 10_000 }, (_, n) => n);
const storm = planStorm(events, '7');
const sent = [...storm.rush, ...storm.late, ...storm.again];
const times = new Map<number, number>();
for (const event of sent) times.set(event, (times.get(event) ?? 0) + 1);

test('every event is sent', () => {
  expect(times.size).toBe(events.length);
});

test('15 % are sent twice or more', () => {
  expect([...times.values()].filter((n) => n > 1)).toHaveLength(1_500);
  expect(storm.repeated).toBe(1_500);
  expect(Math.max(...times.values())).toBeGreaterThan(2);
});

test('10 % are held back until the rush is over, with all their copies', () => {
  expect(new Set(storm.late).size).toBe(1_000);
  expect(storm.heldBack).toBe(1_000);
  expect(storm.rush.filter((event) => storm.late.includes(event))).toEqual([]);
});

test('some are sent once more when all was acknowledged', () => {
  expect(storm.again.length).toBeGreaterThan(50);
  expect(storm.again.filter((event) => !storm.rush.includes(event) && !storm.late.includes(event))).toEqual([]);
});

test('the rush is shuffled, and the last may be first', () => {
  const inOrder = storm.rush.filter((event, i) => event > (storm.rush[i - 1] ?? -1)).length;
  expect(inOrder / storm.rush.length).toBeGreaterThan(0.4);
  expect(inOrder / storm.rush.length).toBeLessThan(0.6);
});

test('one seed is one storm, another seed another', () => {
  expect(planStorm(events, '7')).toEqual(storm);
  expect(planStorm(events, '8').rush).not.toEqual(storm.rush);
});
