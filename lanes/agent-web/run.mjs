#!/usr/bin/env node
// Runs every scenario with the vendor's RTM SDK in Chromium, without a network.

import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { pinnedRequire } from '../web/packages.mjs';
import { choose, readExpectedFailures, readScenarios, runAll } from '../web/plan.mjs';
import { Agent } from './agent.mjs';
import { Context } from './context.mjs';
import { Driver } from './driver.mjs';

const USAGE = `usage: node run.mjs [--sdk DIR] [--only NAME]...

  --sdk DIR        where npm ci has installed the SDK and ws (default: this directory)
  --chromium FILE  the browser (default: the launcher's choice)
  --only NAME      run this scenario alone; may be given again
  --expected-failures FILE  {name: reason} of what may fail, and must

exit code: 0 all as expected, 1 a failure or an unexpected pass, 2 wrong usage`;

const AT_ONCE = 12;
// Those with a browser of their own are slow, and slow each other.
const BROWSERS_AT_ONCE = 2;
const LIMIT = 90_000;

const { world, chosen, expectedFailures } = await prepare().catch((error) => {
  console.error(`${error.message}\n\n${USAGE}`);
  process.exit(2);
});
const secret = randomBytes(16).toString('hex');
const driver = await Driver.listen(world.ws, { secret });
const agent = new Agent({ ...world, bridge: driver.url, secret });
world.shared = { driver, agent };
let ending = false;
const died = agent.exited.then((code) => {
  if (ending) return;
  console.log(`not ok launcher: ended with ${code}\n${agent.lines.join('\n')}`);
  process.exit(1);
});
const hello = await Promise.race([driver.agent(), died]);
const { chromium } = await agent.status();
console.log(`# ${hello.sdk} ${hello.version} in ${chromium.version}`);
const contextOf = (_, suffix) => new Context(world, suffix);
const options = { expectedFailures, contextOf, limit: LIMIT };
const runs = chosen.map((scenario) => ({ scenario, way: 'driver' }));
let failed = await runAll(runs.filter(({ scenario }) => !scenario.own), { ...options, atOnce: AT_ONCE });
failed += await runAll(runs.filter(({ scenario }) => scenario.own), { ...options, atOnce: BROWSERS_AT_ONCE });
ending = true;
await agent.stop();
process.exit(failed === 0 ? 0 : 1);

async function prepare() {
  const { values } = parseArgs({
    options: {
      sdk: { type: 'string', default: import.meta.dirname },
      chromium: { type: 'string' },
      only: { type: 'string', multiple: true },
      'expected-failures': { type: 'string' },
    },
  });
  const require = pinnedRequire(values.sdk, new URL('package-lock.json', import.meta.url));
  const scenarios = await readScenarios(new URL('scenarios/', import.meta.url));
  const file = values['expected-failures'] ?? new URL('expected-failures.json', import.meta.url);
  return {
    world: { ws: require('ws'), sdk: values.sdk, chromium: values.chromium },
    expectedFailures: readExpectedFailures(file, scenarios),
    chosen: choose(scenarios, values.only),
  };
}
