// Running scenarios and saying how it went; what lanes share that run this folder's scenarios.

import { readdirSync, readFileSync } from 'node:fs';
import { Unexpected } from './expect.mjs';

// Milliseconds for a scenario.
const LIMIT = 20_000;

/** The scenarios of these folders: a file is one, or has `scenarios`. */
export async function readScenarios(...folders) {
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.mjs'))
      .sort()
      .map((file) => new URL(file, folder)),
  );
  const modules = await Promise.all(files.map((file) => import(file)));
  return modules.flatMap((module) => module.scenarios ?? module);
}

/** The scenarios named, or all. */
export function choose(scenarios, only) {
  refuseUnknown(only ?? [], scenarios, '--only');
  return scenarios.filter((scenario) => !only || only.includes(scenario.name));
}

/** {name: reason} or {name@way: reason} of what may fail, and must. */
export function readExpectedFailures(file, scenarios) {
  const expected = JSON.parse(readFileSync(file, 'utf8'));
  // A stale entry would hide that its scenario no longer exists.
  const names = Object.keys(expected).map((name) => name.split('@')[0]);
  refuseUnknown(names, scenarios, 'expected-failures');
  return expected;
}

function refuseUnknown(wanted, scenarios, where) {
  const unknown = wanted.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) throw new Error(`${where}: no scenario named ${unknown.join(', ')}`);
}

/**
 * Runs all and prints a line for each; resolves to the number of failures.
 *
 * @param {{scenario: object, way: string}[]} runs in the order in which they start
 * @param {object} options
 * @param {number} options.atOnce
 * @param {object} options.expectedFailures
 * @param {(run: object, suffix: string) => object} options.contextOf
 * @param {number} [options.limit] milliseconds for a scenario
 */
export async function runAll(runs, { atOnce, expectedFailures, contextOf, limit = LIMIT }) {
  const started = Date.now().toString(36);
  const waiting = runs.map((run, index) => ({ run, suffix: `${started}${index}` }));
  let failed = 0;
  async function worker() {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const begin = Date.now();
      const problem = await attempt(next.run, contextOf(next.run, next.suffix), limit);
      if (!report(next.run, problem, Date.now() - begin, expectedFailures)) failed += 1;
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker));
  console.log(`${runs.length - failed} passed, ${failed} failed`);
  return failed;
}

/** Runs a scenario once; resolves to what went wrong, or to nothing. */
async function attempt({ scenario }, context, milliseconds) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Unexpected(`not finished after ${milliseconds} ms`)), milliseconds);
  });
  try {
    await Promise.race([scenario.run(context).then(() => context.settle()), limit]);
    return undefined;
  } catch (error) {
    return error.name === 'Unexpected' ? error.message : oneLine(error);
  } finally {
    clearTimeout(timer);
    context.close();
  }
}

// Not an expectation, so a mistake in the lane itself: where it happened is what helps.
function oneLine(error) {
  return (error.stack ?? String(error)).split('\n').slice(0, 3).map((line) => line.trim()).join(' ');
}

/** Whether it went as expected. */
function report({ scenario, way }, problem, elapsed, expectedFailures) {
  const name = `${scenario.name}@${way}`;
  const reason = expectedFailures[name] ?? expectedFailures[scenario.name];
  if (problem && reason) {
    console.log(`ok ${name} (${elapsed}) # fails as expected: ${reason}`);
  } else if (problem) {
    console.log(`not ok ${name}: ${problem}`);
  } else if (reason) {
    console.log(`not ok ${name}: passes, but is listed as an expected failure (${reason})`);
  } else {
    console.log(`ok ${name} (${elapsed})`);
  }
  return Boolean(problem) === Boolean(reason);
}

/** The port number that an option is. */
export function port(name, text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65_534) throw new Error(`${name} needs a port`);
  return number;
}
