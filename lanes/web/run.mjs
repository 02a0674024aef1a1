#!/usr/bin/env node
// Runs every scenario against two running servers, in both of the ways a client can find one.

import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Context } from './context.mjs';
import { Unexpected } from './expect.mjs';
import { loadVendor } from './shim.mjs';

const USAGE = `usage: node run.mjs --sdk DIR --open PORT --auth PORT [--only NAME]...

  --sdk DIR    where npm ci has installed the SDK and ws (default: this directory)
  --open PORT  a server that takes every token
  --auth PORT  a server with the test app id and certificate of token.mjs, allow_no_token = false
  --only NAME  run this scenario alone; may be given again
  --expected-failures FILE  {name: reason} of what may fail, and must

exit code: 0 all as expected, 1 a failure or an unexpected pass, 2 wrong usage`;

const LIMIT = 20_000;
// More at once only makes the timing of one machine the subject of the test.
const AT_ONCE = 32;

// `url` is the debugging address; `lookup` is what applications do: /getaddr, then two racing sockets.
const WAYS = ['url', 'lookup'];

const options = readOptions();
const vendor = installedVendor();
const expectedFailures = JSON.parse(readFileSync(options.expectedFailures, 'utf8'));
const runs = await plan();
const started = Date.now().toString(36);
let failed = 0;

await Promise.all(Array.from({ length: AT_ONCE }, worker));
console.log(`${runs.length - failed} passed, ${failed} failed`);
// The SDK's own reporting and half-closed sockets may hold the process; nothing of it matters any more.
process.exit(failed === 0 ? 0 : 1);

async function worker() {
  for (let run = nextRun(); run; run = nextRun()) {
    const begin = Date.now();
    const problem = await attempt(run);
    report(run, problem, Date.now() - begin);
  }
}

function nextRun() {
  const run = runs.find((candidate) => !candidate.taken);
  if (run) run.taken = true;
  return run;
}

/** Runs a scenario once; resolves to what went wrong, or to nothing. */
async function attempt({ scenario, via, index }) {
  const auth = scenario.needs === 'auth';
  const port = auth ? options.auth : options.open;
  const ctx = new Context({ vendor, via, port, auth, suffix: `${started}${index}` });
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Unexpected(`not finished after ${LIMIT} ms`)), LIMIT);
  });
  try {
    await Promise.race([scenario.run(ctx).then(() => ctx.settle()), limit]);
    return undefined;
  } catch (error) {
    return error.name === 'Unexpected' ? error.message : oneLine(error);
  } finally {
    clearTimeout(timer);
    ctx.close();
  }
}

// Not an expectation, so a mistake in the lane itself: where it happened is what helps.
function oneLine(error) {
  return (error.stack ?? String(error)).split('\n').slice(0, 3).map((line) => line.trim()).join(' ');
}

function report({ scenario, via }, problem, elapsed) {
  const name = `${scenario.name}@${via}`;
  const reason = expectedFailures[name] ?? expectedFailures[scenario.name];
  if (problem && reason) {
    console.log(`ok ${name} (${elapsed}) # fails as expected: ${reason}`);
  } else if (problem) {
    failed += 1;
    console.log(`not ok ${name}: ${problem}`);
  } else if (reason) {
    failed += 1;
    console.log(`not ok ${name}: passes, but is listed as an expected failure (${reason})`);
  } else {
    console.log(`ok ${name} (${elapsed})`);
  }
}

async function plan() {
  const directory = new URL('scenarios/', import.meta.url);
  const files = readdirSync(directory).filter((file) => file.endsWith('.mjs')).sort();
  const scenarios = await Promise.all(files.map((file) => import(new URL(file, directory))));
  const names = scenarios.map((scenario) => scenario.name);
  refuseUnknown(options.only ?? [], names, '--only');
  // A stale entry would excuse a scenario that no longer exists and hide that nobody looks any more.
  refuseUnknown(Object.keys(expectedFailures).map((name) => name.split('@')[0]), names, 'expected-failures');
  return scenarios
    .filter((scenario) => !options.only || options.only.includes(scenario.name))
    .flatMap((scenario) => WAYS.map((via) => ({ scenario, via })))
    .map((run, index) => ({ ...run, index }));
}

function refuseUnknown(wanted, names, where) {
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) misuse(`${where}: no scenario named ${unknown.join(', ')}`);
}

function installedVendor() {
  try {
    return loadVendor(options.sdk);
  } catch (error) {
    return misuse(error.message);
  }
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        sdk: { type: 'string', default: import.meta.dirname },
        open: { type: 'string' },
        auth: { type: 'string' },
        only: { type: 'string', multiple: true },
        'expected-failures': { type: 'string' },
      },
    });
    return {
      sdk: values.sdk,
      open: port('--open', values.open),
      auth: port('--auth', values.auth),
      only: values.only,
      expectedFailures: values['expected-failures'] ?? new URL('expected-failures.json', import.meta.url),
    };
  } catch (error) {
    return misuse(error.message);
  }
}

function port(name, text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65_534) throw new Error(`${name} needs a port`);
  return number;
}

function misuse(message) {
  console.error(`${message}\n\n${USAGE}`);
  process.exit(2);
}
