/** Option values, checked: what is wrong with one is a usage error that names it. */
import { InvalidArgumentError } from 'commander';

import { parseInstant } from '../model/instant.ts';

export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,11}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of 1 or more.');
  return Number(text);
}

export function parseProbability(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}

/** Epoch nanoseconds. */
export function parseTime(text: string): bigint {
  const instant = parseInstant(text);
  if (instant === undefined) throw new InvalidArgumentError('It must be an RFC 3339 time such as 2026-11-01T00:00:00Z.');
  return instant;
}

export function parseRate(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1_000)) throw new InvalidArgumentError('It must be a number above 0, at most 1000.');
  return value;
}

/** Names, separated by commas. */
export function parseNames(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

/** `name=value`, any number of them. */
export function collectPair(text: string, pairs: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be name=value.');
  return { ...pairs, [text.slice(0, at)]: text.slice(at + 1) };
}
