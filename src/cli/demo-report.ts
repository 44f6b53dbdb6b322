/** The demo's report for people: what happened, whether it is right, and what an analyst gets out of it. */
import type { Answer } from '../demo/answers.ts';
import type { Check } from '../demo/check.ts';
import type { Report } from '../demo/demo.ts';
import { STATES } from '../event.ts';
import { table } from './output.ts';

export function showReport(report: Report): string {
  // The last screen is what people see, so it says what happened and whether it is right.
  return [
    ...report.answers.map(showAnswer),
    showStory(report),
    showBooks(report),
    showLedger(report),
    showSpeed(report),
    showVerdict(report),
  ].join('\n\n');
}

function showStory({ days, seed, events, requests, repeated, heldBack, kill }: Report): string {
  return [
    title(`What happened: ${days === 1 ? 'one day' : `${days} days`} of grocery orders, seed ${seed}`),
    `${count(events)} events went out as ${count(requests)} signed webhooks: all of them shuffled, ${count(repeated)} sent more`,
    `than once, ${count(heldBack)} held back to the end. After ${count(kill.afterRequests)} requests the worker was killed (SIGKILL)`,
    `with ${count(kill.queued)} events to do, and started again ${(kill.downMs / 1_000).toFixed(1)} s later.`,
  ].join('\n');
}

function showBooks({ checks }: Report): string {
  const golden = checks.some((check) => check.golden !== null);
  const rows = checks.map((check) => [
    check.what,
    value(check, check.graph),
    value(check, check.files),
    ...(golden ? [check.golden === null ? '' : value(check, check.golden)] : []),
    check.equal ? '✓' : '✗ DIFFERENT',
  ]);
  return `${title('Is the graph right?')}\n${aligned(['', 'in the graph', 'in the files', ...(golden ? ['by the publisher'] : []), ''], rows)}`;
}

function showLedger({ stats, conservation, peak }: Report): string {
  const { accepted, duplicate, duplicateLate, queued, parked, states } = stats;
  const [first, rest] = [STATES.slice(0, 5), STATES.slice(5)].map((some) =>
    some.map((state) => `${state} ${count(states[state])}`).join(' + '),
  );
  return [
    title('Is every event accounted for?'),
    `accepted ${count(accepted)}`,
    `       ${conservation.holds ? '=' : '≠'} ${first}`,
    `       + ${rest} + queued ${count(queued)} + duplicateLate ${count(duplicateLate)}   ${mark(conservation.holds)}`,
    `duplicate ${count(duplicate)}: known already, answered 200 and dropped.  superseded: a newer event had spoken.`,
    `parked ${count(parked)}; ${count(peak.parked)} at most on the way, payments that came before their order.`,
  ].join('\n');
}

function showAnswer({ question, name, params, cypher, columns, rows }: Answer): string {
  const flags = Object.entries(params)
    .map(([key, one]) => ` --param ${key}=${String(one)}`)
    .join('');
  // A column in which nothing stands tells nothing.
  const shown = columns.flatMap((_, i) => (rows.some((row) => row[i] !== null) ? [i] : []));
  return [
    title(question),
    table(
      shown.map((i) => columns[i] ?? ''),
      rows.map((row) => shown.map((i) => row[i])),
    ),
    '',
    `  eventgraft query ${name}${flags}`,
    ...cypher.split('\n').map((line) => `  ${line}`),
  ].join('\n');
}

function showSpeed({ ack, requestsPerSecond, eventsPerSecond, peak, seconds, retries }: Report): string {
  const { total, ...phases } = seconds;
  return [
    title('How fast?'),
    `ack        p50 ${ack.p50Ms} ms, p99 ${ack.p99Ms} ms, slowest ${ack.maxMs} ms, at full blast; a 2xx means on disk${retries === 0 ? '' : `; ${retries} sent again`}`,
    `receiver   ${count(requestsPerSecond)} requests/s`,
    `graph      ${count(eventsPerSecond)} events/s from the first request to the last commit; ${count(peak.queued)} queued at most`,
    `time       ${Object.entries(phases)
      .map(([name, one]) => `${name} ${one}`)
      .join(' + ')} = ${total} s`,
  ].join('\n');
}

function showVerdict({ ok, problems, checks, requests, events }: Report): string {
  if (!ok) return ['NOT AS IT SHOULD BE', ...problems.map((problem) => `  ✗ ${problem}`)].join('\n');
  const revenue = checks.find((check) => check.unit === 'cents');
  return `✓ ${count(requests)} deliveries of ${count(events)} events, in any order: one graph, and ${revenue === undefined ? 'it is right' : `its ${value(revenue, revenue.graph)} are right to the cent`}.`;
}

function title(text: string): string {
  return `── ${text} ${'─'.repeat(Math.max(0, 76 - text.length))}`;
}

function mark(good: boolean): string {
  return good ? '✓' : '✗';
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}

function value({ unit }: Check, one: number | string): string {
  if (typeof one === 'string') return one;
  return unit === 'cents' ? (one / 100).toLocaleString('en-US', { style: 'currency', currency: 'USD' }) : count(one);
}

/** As `table`, with all but the first and last column to the right: numbers that are text by now. */
function aligned(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headers.map((header, i) => Math.max(header.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 0 || i === row.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [headers, ...rows].map(line).join('\n');
}
