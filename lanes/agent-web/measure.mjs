#!/usr/bin/env node
// Measures how many RTM instances a page holds before its browser needs 2 GB.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { pinnedRequire } from '../web/packages.mjs';
import { Agent, descendants, readProc } from './agent.mjs';
import { APP_ID } from './context.mjs';
import { Driver, WINDOW } from './driver.mjs';

const USAGE = `usage: node measure.mjs [--sdk DIR] [--login] [--first N] [--most N]

  --login    all instances try to log in at once, which fails after 12 s without a network
  --paced    one round, in which twelve instances a second are created and try to log in, and none is released; prints a
             line for each 400, and stops at 2000 MB
  --silent   RTM's names resolve to a server that accepts connections and sends nothing: then the SDK waits, in
             place of repeated attempts
  --first N  instances of the first round; each round has twice as many (default: 100)
  --most N   instances of the last round (default: 20000)

Prints for each round the instances, the most MB that Chromium's processes had together (their proportional set size,
from smaps_rollup), what they have once all instances are released, and the seconds that the round took. Stops at
2000 MB.`;

const LIMIT = 2000;
/** MB at which a round is given up. */
const TOO_MUCH = 2500;
/** Milliseconds to let things settle, and those after which logins have failed. */
const SETTLE = 3000;
const FAILED = 14_000;
const LOOK = 250;
/** Logins per second. */
const RATE = 12;

const { values } = parseArgs({
  options: {
    sdk: { type: 'string', default: import.meta.dirname },
    login: { type: 'boolean', default: false },
    paced: { type: 'boolean', default: false },
    silent: { type: 'boolean', default: false },
    first: { type: 'string', default: '100' },
    most: { type: 'string', default: '20000' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const secret = randomBytes(16).toString('hex');
const require = pinnedRequire(values.sdk, new URL('package-lock.json', import.meta.url));
// A page that creates thousands has no time for a quick heartbeat.
const driver = await Driver.listen(require('ws'), { secret, heartbeat: 10_000 });
const silent = net.createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
await once(silent, 'listening');
const rules = values.silent ? `MAP * 127.0.0.1:${silent.address().port}, EXCLUDE 127.0.0.1` : undefined;
const agent = new Agent({ bridge: driver.url, secret, sdk: values.sdk, rules });
await driver.agent();
const { pid } = (await agent.status()).chromium;
await sleep(SETTLE);
console.log(`instances\tmost MB\tMB after\tseconds\n0\t${used()}\t${used()}\t0`);
let most = 0;
if (values.paced) await paced();
for (let count = Number(values.first); count <= Number(values.most) && most < LIMIT; count *= 2) {
  const begin = performance.now();
  most = await round(count);
  const seconds = Math.round((performance.now() - begin) / 1000);
  console.log(`${count}\t${most}\t${used()}\t${seconds}`);
  if (driver.hellos.some(({ resumed }, i) => i > 0 && !resumed)) {
    console.log(`the page crashed:\n${agent.lines.slice(-5).join('\n')}`);
    break;
  }
}
await agent.stop();
process.exit(0);

/** Creates instances that log in, a few a second, until they are too many. */
async function paced() {
  const begin = performance.now();
  for (let count = 1; most < LIMIT && count <= Number(values.most); count += 1) {
    const sessionId = String(count);
    void driver.call('createInstance', { sessionId, appId: APP_ID });
    void driver.call('login', { sessionId, uid: `user${count}` });
    await sleep(1000 / RATE);
    if (count % 400) continue;
    most = used();
    console.log(`${count}\t${most}\t\t${Math.round((performance.now() - begin) / 1000)}`);
    if (driver.hellos.some(({ resumed }, i) => i > 0 && !resumed)) break;
  }
  for (const line of agent.lines.filter((text) => text.includes('ERROR'))) console.log(line);
  most = LIMIT;
}

/** Creates instances, logs them in if that is wanted, releases them; resolves to the most MB that was seen. */
async function round(count) {
  const sessions = Array.from({ length: count }, (_, i) => String(i));
  let seen = 0;
  const watch = setInterval(async () => {
    seen = Math.max(seen, used());
    if (seen < TOO_MUCH) return;
    clearInterval(watch);
    console.log(`${count}\tmore than ${TOO_MUCH}, before the round was over`);
    await agent.stop();
    process.exit(0);
  }, LOOK);
  await all(sessions, 'createInstance', () => ({ appId: APP_ID }));
  if (values.login) await all(sessions, 'login', (sessionId) => ({ uid: `user${sessionId}` }));
  await sleep(SETTLE);
  await all(sessions, 'release', () => ({}));
  await sleep(values.login ? FAILED : SETTLE);
  clearInterval(watch);
  return seen;
}

async function all(sessions, method, params) {
  // As many at once as the window allows.
  const answers = [];
  for (const sessionId of sessions) {
    if (answers.length >= WINDOW) await answers[answers.length - WINDOW];
    answers.push(driver.call(method, { sessionId, ...params(sessionId) }));
  }
  for (const answer of answers) {
    const { error, lost } = await answer;
    if (lost || (error && method !== 'login')) throw new Error(`${method}: ${lost ? 'lost' : error.message}`);
  }
}

function used() {
  const kb = descendants(pid).map((each) => Number(readProc(each, 'smaps_rollup').match(/^Pss: +(\d+) kB/m)?.[1] ?? 0));
  return Math.round(kb.reduce((sum, each) => sum + each, 0) / 1000);
}
