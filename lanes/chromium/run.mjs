#!/usr/bin/env node
// Runs the Web lane's scenarios, and some of its own, in Chromium: against running bridges, by wss.

import path from 'node:path';
import { parseArgs } from 'node:util';
import { Context } from '../web/context.mjs';
import { pinnedRequire } from '../web/packages.mjs';
import { choose, port, readExpectedFailures, readScenarios, runAll } from '../web/plan.mjs';
import { startBrowser } from './browser.mjs';
import { startSite } from './site.mjs';
import { Tabs } from './tab.mjs';

const USAGE = `usage: node run.mjs --certs DIR --open PORT --named PORT --auth PORT [--only NAME]...

  --certs DIR   what sigbridge dev-cert has made for bridge.example.com, auth.example.com and app.example.com
  --open PORT   a bridge with these that takes every token
  --named PORT  one with advertise_host = "bridge.example.com:8443"
  --auth PORT   one with advertise_host = "auth.example.com:8443", the test app id and certificate of
                ../web/token.mjs, allow_no_token = false
  --sdk DIR     where npm ci has installed the SDK and playwright-core (default: this directory)
  --chromium FILE  the browser (default: chromium)
  --har FILE    where to save the archive of its network panel
  --only NAME   run this scenario alone; may be given again
  --expected-failures FILE  {name: reason} of what may fail, and must

exit code: 0 all as expected, 1 a failure or an unexpected pass, 2 wrong usage`;

const AT_ONCE = 8;
// Milliseconds for an event and for a scenario. A browser is slow on a busy machine, and that is not its subject.
const PATIENCE = 15_000;
const LIMIT = 60_000;
const SITE = 'app.example.com';
const NAMED = 'bridge.example.com:8443';
const AUTH = 'auth.example.com:8443';

const lane = await prepare().catch((error) => {
  console.error(`${error.message}\n\n${USAGE}`);
  process.exit(2);
});
const { options, site } = lane;
const ca = path.join(options.certs, 'ca.pem');
const browser = await startBrowser(lane.playwright, { ...browserOptions(), ca, har: options.har });
console.log(`# Chromium ${browser.context.browser().version()}`);
const tabs = await Tabs.of(browser.context);
const runs = lane.chosen.flatMap((scenario) => waysOf(scenario).map((way) => ({ scenario, way })));
const { expectedFailures } = lane;
const failed = await runAll(runs, { atOnce: AT_ONCE, limit: LIMIT, expectedFailures, contextOf });
await browser.close();
process.exit(failed === 0 ? 0 : 1);

function browserOptions() {
  return {
    program: options.chromium,
    rules: [
      `MAP ${SITE}:443 127.0.0.1:${site.tls}`,
      `MAP ${SITE}:80 127.0.0.1:${site.plain}`,
      `MAP ${NAMED} 127.0.0.1:${options.named}`,
      `MAP ${AUTH} 127.0.0.1:${options.auth}`,
      // Look-ups at port 443, and the address that the SDK makes of the answer.
      `MAP *.agora.io 127.0.0.1:${options.open}`,
    ],
  };
}

/**
 * How a scenario's clients find the bridge: `hosts` by no change of the application, where names lead to the bridge;
 * `oneline` by the change of one line, where none does; `proxy` by the debugging address, through a proxy that can be
 * cut. Each scenario of the Web lane runs in the ways that can have what it needs.
 */
function waysOf({ ways, cuts, needs }) {
  if (ways) return ways;
  if (cuts) return ['proxy'];
  return needs === 'auth' ? ['oneline'] : ['hosts', 'oneline'];
}

function contextOf({ scenario, way }, suffix) {
  const auth = scenario.needs === 'auth';
  const name = auth ? AUTH : NAMED;
  const ways = {
    hosts: { port: options.open, way: {}, address: `wss://127-0-0-1-sig-web.agora.io:${options.open + 1}/` },
    oneline: {
      port: auth ? options.auth : options.named,
      way: { lookupUrl: `https://${name}` },
      address: `wss://${name}/?,0`,
    },
    proxy: { port: options.open, way: {} },
  };
  const chosen = ways[way];
  const openTab = (record, { proxy, page = `https://${SITE}/`, list, lookup } = {}) => {
    const own = {};
    if (way === 'proxy') {
      own.address = `wss://127.0.0.1:${proxy?.port ?? options.open}/`;
      own.way = { apUrl: own.address };
    }
    // A scenario with its own lookup also defines the addresses of the sockets.
    const lookupUrl = list ? `https://${SITE}${site.lookup(list)}` : lookup;
    if (lookupUrl) Object.assign(own, { address: undefined, way: { lookupUrl } });
    return tabs.open({ url: page, record, ...chosen, ...own });
  };
  const context = new Context({ looksUp: way !== 'proxy', port: chosen.port, auth, suffix, openTab, patience: PATIENCE });
  // For this lane's own scenarios.
  context.untrusting = () => startBrowser(lane.playwright, browserOptions());
  return context;
}

async function prepare() {
  const { values } = parseArgs({
    options: {
      certs: { type: 'string' },
      open: { type: 'string' },
      named: { type: 'string' },
      auth: { type: 'string' },
      sdk: { type: 'string', default: import.meta.dirname },
      chromium: { type: 'string', default: 'chromium' },
      har: { type: 'string' },
      only: { type: 'string', multiple: true },
      'expected-failures': { type: 'string' },
    },
  });
  if (!values.certs) throw new Error('--certs needs a folder');
  const options = {
    certs: values.certs,
    chromium: values.chromium,
    har: values.har,
    open: port('--open', values.open),
    named: port('--named', values.named),
    auth: port('--auth', values.auth),
  };
  const require = pinnedRequire(values.sdk, new URL('package-lock.json', import.meta.url));
  const folders = ['scenarios/', '../web/scenarios/'].map((folder) => new URL(folder, import.meta.url));
  const scenarios = await readScenarios(...folders);
  const file = values['expected-failures'] ?? new URL('expected-failures.json', import.meta.url);
  return {
    options,
    playwright: require('playwright-core'),
    site: await startSite({ sdk: require.resolve('agora-signaling-sdk'), certs: options.certs }),
    expectedFailures: readExpectedFailures(file, scenarios),
    chosen: choose(scenarios, values.only),
  };
}
