// Comparison of the SDK's callbacks with a scenario's expectations.

import { isDeepStrictEqual } from 'node:util';

const MATCHER = Symbol('matcher');

/** A failed expectation; its message is all a reader gets to see. */
export class Unexpected extends Error {
  name = 'Unexpected';
}

/** Expects a value for which `test` holds; `label` stands for it in messages. */
export function matching(label, test) {
  return { [MATCHER]: test, label };
}

/** A uid as every client can hold it: a positive signed 32-bit integer. */
export const anyUid = matching('a uid', (got) => Number.isInteger(got) && got > 0 && got <= 0x7fff_ffff);

/** A text that is JSON for `value`, in any spelling. */
export function jsonText(value) {
  return matching(`JSON text of ${show(value)}`, (got) => {
    try {
      return typeof got === 'string' && isDeepStrictEqual(JSON.parse(got), value);
    } catch {
      return false;
    }
  });
}

/** The same elements in any order. */
export function inAnyOrder(...values) {
  return matching(`${show(values)} in any order`, (got) => {
    if (!Array.isArray(got) || got.length !== values.length) return false;
    return values.every((value) => got.some((element) => same(element, value)));
  });
}

/** An object with at least these fields. */
export function containing(fields) {
  return matching(`an object with ${show(fields)}`, (got) => {
    if (typeof got !== 'object' || got === null) return false;
    return Object.entries(fields).every(([key, value]) => same(got[key], value));
  });
}

/** Fails unless `got` is `expected`. */
export function equal(got, expected, what) {
  if (!same(got, expected)) {
    throw new Unexpected(`${what}: expected ${show(expected)}, got ${show(got)}`);
  }
}

export function same(got, expected) {
  if (expected?.[MATCHER]) return expected[MATCHER](got);
  if (Array.isArray(expected)) {
    return Array.isArray(got) && got.length === expected.length && expected.every((value, i) => same(got[i], value));
  }
  return isDeepStrictEqual(got, expected);
}

export function show(value) {
  if (value?.[MATCHER]) return `<${value.label}>`;
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  return JSON.stringify(value) ?? String(value);
}

/** `target callback(arguments)` of one recorded or expected event. */
export function showEvent([target, callback, ...args]) {
  return `${target} ${callback}(${args.map(show).join(', ')})`;
}

