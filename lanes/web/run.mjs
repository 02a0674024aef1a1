#!/usr/bin/env node
// Runs every scenario against two running servers, in each of the ways a client can find one.

import { parseArgs } from 'node:util';
import { Context } from './context.mjs';
import { choose, port, readExpectedFailures, readScenarios, runAll } from './plan.mjs';
import { loadVendor, Tab } from './shim.mjs';

const USAGE = `usage: node run.mjs --sdk DIR --open PORT --auth PORT [--only NAME]... [--way NAME]...

  --sdk DIR    where npm ci has installed the SDK and ws (default: this directory)
  --open PORT  a server that takes every token
  --auth PORT  a server with the test app id and certificate of token.mjs, allow_no_token = false
  --only NAME  run this scenario alone; may be given again
  --way NAME   run in this way alone: url, lookup, path; may be given again
  --expected-failures FILE  {name: reason} of what may fail, and must

exit code: 0 all as expected, 1 a failure or an unexpected pass, 2 wrong usage`;

// More at once only makes the timing of one machine the subject of the test.
const AT_ONCE = 32;

// `url` is the debugging address; `lookup` is what applications do: /getaddr, then two racing sockets; `path` is the same
// by the look-up for SDKs of 1.4 outside a browser, after the change of one line.
const WAYS = ['url', 'lookup', 'path'];

const { options, vendor, expectedFailures, chosen, ways } = await prepare().catch((error) => {
  console.error(`${error.message}\n\n${USAGE}`);
  process.exit(2);
});
const runs = chosen.flatMap((scenario) => ways.map((way) => ({ scenario, way })));
const failed = await runAll(runs, { atOnce: AT_ONCE, expectedFailures, contextOf });
// The SDK's own reporting and half-closed sockets may hold the process; nothing of it matters any more.
process.exit(failed === 0 ? 0 : 1);

function contextOf({ scenario, way }, suffix) {
  const auth = scenario.needs === 'auth';
  const bridge = auth ? options.auth : options.open;
  const openTab = (record, { proxy }) => new Tab(vendor, { way, port: bridge, connectPort: proxy?.port, record });
  return new Context({ looksUp: way !== 'url', port: bridge, auth, suffix, openTab });
}

async function prepare() {
  const { values } = parseArgs({
    options: {
      sdk: { type: 'string', default: import.meta.dirname },
      open: { type: 'string' },
      auth: { type: 'string' },
      only: { type: 'string', multiple: true },
      way: { type: 'string', multiple: true, default: WAYS },
      'expected-failures': { type: 'string' },
    },
  });
  const options = { open: port('--open', values.open), auth: port('--auth', values.auth) };
  const unknown = values.way.find((way) => !WAYS.includes(way));
  if (unknown) throw new Error(`no way named ${unknown}`);
  const scenarios = await readScenarios(new URL('scenarios/', import.meta.url));
  const file = values['expected-failures'] ?? new URL('expected-failures.json', import.meta.url);
  return {
    options,
    vendor: loadVendor(values.sdk),
    expectedFailures: readExpectedFailures(file, scenarios),
    chosen: choose(scenarios, values.only),
    ways: values.way,
  };
}
