import { expect, test } from 'vitest';
import { createProgress } from '../../../src/cli/progress.ts';

function terminal(isTTY: boolean) {
  let text = '';
  return { isTTY, columns: 12, write: (more: string) => (text += more), text: () => text };
}

test('a line is cut to the terminal and wiped at the end', () => {
  const to = terminal(true);
  const progress = createProgress(to);
  progress.show('0123456789abcdef');
  progress.end();
  progress.end();
  expect(to.text()).toBe('\r\u001B[2K0123456789a\r\u001B[2K');
});

test('lines that follow at once are left out', () => {
  const to = terminal(true);
  const progress = createProgress(to);
  for (let i = 0; i < 1_000; i++) progress.show(String(i));
  expect(to.text().split('\r').length - 1).toBeLessThan(5);
});

test('nothing is written where nobody watches', () => {
  const to = terminal(false);
  const progress = createProgress(to);
  progress.show('1');
  progress.end();
  expect(to.text()).toBe('');
});
