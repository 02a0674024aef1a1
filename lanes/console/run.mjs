#!/usr/bin/env node
// Tests the console of a running sidecar in Chromium, with clients of `sigbridge call`.

import { spawn } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import readline from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { onPath } from '../chromium/browser.mjs';
import { pinnedRequire } from '../web/packages.mjs';

const USAGE = `usage: node run.mjs --admin PORT --http PORT --program FILE [--tcp PORT] [--sdk DIR]

  --admin PORT   the admin address of a sidecar, without a token
  --http PORT    its address for Web clients
  --tcp PORT     its address for native clients
  --program FILE the sigbridge program, for its clients
  --sdk DIR      where npm ci has installed playwright-core (default: this directory)
  --chromium FILE  the browser (default: chromium)
  --screenshots DIR  where to save pictures of the views

exit code: 0 all passed, 1 a failure, 2 wrong usage`;

const PATIENCE = 15_000;
const HOSTILE = '<img/src=x/onerror=window.hacked=1>';
const SECRET_TEXT = 'meet-me-at-nine';
const SECRET_TOKEN = '1:secret-vendor:1999999999:0123456789abcdef';

const { values: options } = parseArgs({
  options: {
    admin: { type: 'string' }, http: { type: 'string' }, tcp: { type: 'string' }, program: { type: 'string' },
    sdk: { type: 'string', default: import.meta.dirname }, chromium: { type: 'string', default: 'chromium' }, screenshots: { type: 'string' },
  },
});
if (!options.admin || !options.http || !options.program) {
  console.error(USAGE);
  process.exit(2);
}
const { chromium } = pinnedRequire(options.sdk, new URL('package-lock.json', import.meta.url))('playwright-core');
const base = `http://127.0.0.1:${options.admin}`;
const clients = [];
const errors = [];
const foreign = [];

/** A client of the project. `printed` resolves with the next line that has a text. */
function client(account, { family = 'web', token, vid } = {}) {
  const url = family === 'native' ? `tcp://127.0.0.1:${options.tcp}` : `ws://127.0.0.1:${options.http}/`;
  const args = ['call', '--url', url, '--account', account, '--family', family];
  if (token) args.push('--token', token);
  if (vid) args.push('--vid', vid);
  const child = spawn(options.program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines = [];
  let wake = () => {};
  readline.createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    wake();
  });
  const made = {
    async printed(text) {
      const end = Date.now() + PATIENCE;
      while (!lines.some((line) => line.includes(text))) {
        if (Date.now() > end) throw new Error(`${account} never printed ${text}, only ${lines.join(' | ')}`);
        await Promise.race([new Promise((resolve) => { wake = resolve; }), sleep(100)]);
      }
    },
    call: (line) => child.stdin.write(`${line}\n`),
    end: () => child.stdin.end(),
    kill: () => child.kill(),
  };
  clients.push(made);
  return made;
}

async function user(account, given) {
  const made = client(account, given);
  await made.printed('onLoginSuccess');
  return made;
}

function ensure(is, what) {
  if (!is) throw new Error(what);
}

let failures = 0;
async function test(name, run) {
  const begun = Date.now();
  try {
    await run();
    console.log(`ok ${name}@chromium (${Date.now() - begun})`);
  } catch (error) {
    failures += 1;
    console.log(`not ok ${name}@chromium: ${String(error.stack ?? error).split('\n').slice(0, 4).join(' ')}`);
  }
}

/** Sends a request as a page of another site would. */
function status(method, url, headers) {
  return new Promise((resolve, reject) => {
    const request = http.request(`${base}${url}`, { method, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    request.on('error', reject);
    request.end();
  });
}

const browser = await chromium.launch({
  executablePath: onPath(options.chromium),
  // Its sandbox does not start for root.
  chromiumSandbox: process.getuid() !== 0,
  args: ['--host-resolver-rules=EXCLUDE 127.0.0.1, MAP * ~NOTFOUND'],
});
const page = await open();

async function open(more = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 800 }, colorScheme: 'light', ...more });
  const opened = await context.newPage();
  opened.setDefaultTimeout(PATIENCE);
  opened.on('console', (message) => { if (['error', 'warning'].includes(message.type())) errors.push(message.text()); });
  opened.on('pageerror', (error) => errors.push(String(error)));
  opened.on('request', (request) => { if (!request.url().startsWith(`${base}/`) && !request.url().startsWith('blob:')) foreign.push(request.url()); });
  return opened;
}

async function picture(name, of = page) {
  if (options.screenshots) await of.screenshot({ path: path.join(options.screenshots, `${name}.png`) });
}

const rowOf = (account) => page.locator('table[aria-label=Sessions] tr[data-id]', { hasText: account });
const at = (view) => page.goto(`${base}/#/${view}`);

console.log(`# Chromium ${browser.version()}`);
let alice;
let bob;

await test('appears', async () => {
  await at('sessions');
  await page.getByText('No sessions').waitFor();
  alice = await user('alice', { token: SECRET_TOKEN });
  const begun = Date.now();
  await rowOf('alice').waitFor();
  ensure(Date.now() - begun < 1000, `it took ${Date.now() - begun} ms`);
});

await test('message', async () => {
  bob = await user('bob');
  await page.getByRole('link', { name: 'Live view of alice' }).click();
  await page.getByText('following').waitFor();
  await page.locator('tr[data-kind=begin]').waitFor();
  alice.call(`messageInstantSend bob 0 "${SECRET_TEXT}"`);
  const frame = page.locator('tr[data-kind=frame-in][data-row="peer.send"]');
  await frame.waitFor();
  await page.locator('tr[data-kind=call]', { hasText: 'sendMessageToPeer' }).waitFor();
  await page.locator('tr[data-kind=reply]').first().waitFor();
  await page.locator('tr[data-kind=frame-out]').first().waitFor();
  await frame.locator('td').nth(3).click();
  await page.locator('pre.explained', { hasText: 'sendMessageToPeer' }).waitFor();
  ensure((await frame.getByRole('link').getAttribute('href')) === '#/tables/peer.send', 'the row is a link to its table');
  ensure((await page.locator('.detail').innerText()).includes('peer.toml:'), 'the place of the row is shown');
  const text = await page.locator('body').innerText();
  ensure(!text.includes(SECRET_TEXT), 'a message is shown against [record] bodies');
  ensure(!text.includes('secret-vendor'), 'a token is shown');
});

await test('refused', async () => {
  await at('sessions');
  client('al ice');
  await page.locator('.counts li', { hasText: 'wrong account' }).waitFor();
  ensure((await page.locator('.counts li', { hasText: 'wrong account' }).innerText()).trim().endsWith('1'), 'it is counted once');
  await page.locator('table[aria-label="Latest refused logins"] tr', { hasText: 'al ice' }).waitFor();
});

await test('text-only', async () => {
  await user(HOSTILE);
  await rowOf(HOSTILE).waitFor();
  client(`<img src=x onerror="window.hacked=2">`);
  await page.locator('table[aria-label="Latest refused logins"] tr', { hasText: 'onerror="window.hacked=2"' }).waitFor();
  ensure((await page.locator('main img').count()) === 0, 'an element of a client is in the page');
  ensure((await page.evaluate(() => window.hacked)) === undefined, 'a script of a client ran');
});

await test('close', async () => {
  await at('sessions');
  await page.getByRole('button', { name: 'Close the session of bob' }).click();
  await page.getByRole('button', { name: 'OK' }).click();
  await bob.printed('onLogout');
  await rowOf('bob').waitFor({ state: 'detached' });
});

await test('keyboard', async () => {
  await at('sessions');
  await page.locator('#main').focus();
  await page.keyboard.press('/');
  await page.keyboard.type('alice');
  await rowOf(HOSTILE).waitFor({ state: 'detached' });
  await rowOf('alice').focus();
  await page.waitForTimeout(1500);
  ensure(await rowOf('alice').evaluate((row) => row === document.activeElement), 'a refresh takes the focus away');
  await page.keyboard.press('Enter');
  await page.waitForURL(/#\/live\/\d+/);
  await page.getByText('following').waitFor();
});

await test('views', async () => {
  for (const family of options.tcp ? ['javasdk', 'native'] : ['javasdk']) await user(`user-${family}`, { family });
  const devices = [];
  for (let n = 0; n < 7; n += 1) {
    const made = await user(`device-${1000 + 37 * n}`);
    devices.push(made);
    made.call(`channelJoin ${n % 2 ? 'lobby' : 'support'}`);
    if (n < 3) made.call('messageInstantSend nobody 0 "hello"');
  }
  await at('sessions');
  await rowOf('device-1222').waitFor();
  await sleep(1500);
  await picture('sessions');
  await page.getByRole('link', { name: 'Live view of device-1000' }).click();
  await page.getByText('following').waitFor();
  devices[0].call('messageInstantSend alice 0 "hello"');
  devices[0].call('channelSetAttr support topic "opening hours"');
  devices[0].call('messageChannelSend support "hello"');
  alice.call('messageInstantSend device-1000 0 "hello"');
  await page.locator('tr[data-kind=frame-out][data-row="peer.received"]').waitFor();
  await page.locator('tr[data-kind=frame-in][data-row="peer.send"] td').nth(3).click();
  await page.locator('pre.explained').waitFor();
  await picture('live');
  await at('migration');
  await page.locator('table[aria-label="Usage by kind of client"] tbody tr').first().waitFor();
  await picture('migration');
  await at('tables');
  await page.getByRole('searchbox').fill('sendMessageToPeer');
  await page.getByRole('searchbox').fill('messageInstantSend');
  await page.locator('tr[data-entry="peer.send"]').click();
  await page.locator('.detail', { hasText: 'peer.toml:' }).waitFor();
  await page.locator('tr[data-entry="peer.send"]', { hasText: 'PEER-OFFLINE' }).waitFor();
  await page.getByRole('searchbox').fill('');
  await picture('tables');
  await at('recordings');
  await page.getByText('recording all new sessions').waitFor();
  await page.getByLabel('Account').fill('device-2000');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByText('recording account device-2000').waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('not recording').waitFor();
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: /^Download/ }).first().click();
  ensure(/^\d+-\d+\.jsonl/.test((await saved).suggestedFilename()), 'a trace is downloaded');
  await picture('recordings');
  await at('nodes');
  await page.getByText('No app of this sidecar has its RTM on Redis.').waitFor();
  await at('doctor');
  await page.getByRole('button', { name: 'Run' }).click();
  await page.locator('.steps li', { hasText: 'both users logged out' }).waitFor();
  await picture('doctor');
});

await test('cross-site', async () => {
  const id = await (await fetch(`${base}/sessions?account=alice`)).json().then((list) => list.sessions[0].id);
  for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }, { host: 'evil.example' }]) {
    ensure((await status('POST', `/sessions/${id}/close`, headers)) === 403, JSON.stringify(headers));
    ensure((await status('PUT', '/log-level', headers)) === 403, JSON.stringify(headers));
  }
  const page = await fetch(base);
  ensure(page.headers.get('content-security-policy').includes("default-src 'self'; frame-ancestors 'none'"), 'the policy');
  ensure(page.headers.get('x-content-type-options') === 'nosniff', 'nosniff');
});

await test('ten-thousand', async () => {
  const sessions = Array.from({ length: 10_000 }, (_, n) => ({
    id: String(n), account: `user-${n}`, app: 'app', profile: 'web', build: 'JavaScript SDK 1.1.0 to 1.3.0', peer: '203.0.113.7', channel: 'room',
    connections: 1, mailbox_lines: n % 7, inexact: n % 3, calls: n, events: n, since_ms: 1_795_788_000_000 - n, login_ms: 1_795_788_000_000, recorded: false, watched: false,
  }));
  const many = await open();
  const body = JSON.stringify({ total: 10_000, matched: 10_000, offset: 0, now_ms: 1_795_788_001_000, sessions });
  await many.route('**/sessions?*', (route) => route.fulfill({ contentType: 'application/json', body }));
  // The browser's own clock: from the first byte of the answer to the frame after the first row.
  await many.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (!document.querySelector('tr[data-id="0"]')) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); }));
    }).observe(document, { childList: true, subtree: true });
  });
  await many.goto(`${base}/#/sessions`);
  await many.locator('#count', { hasText: '1–10,000 of 10,000' }).waitFor();
  const took = await many.waitForFunction(() => {
    const [answer] = performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/sessions?'));
    return window.painted && answer ? window.painted - (answer.responseStart || answer.startTime) : 0;
  }).then((result) => result.jsonValue());
  console.log(`# 10 000 sessions are painted ${Math.round(took)} ms after the answer begins`);
  ensure(took < 1000, `it took ${took} ms`);
  await many.locator('.scroll').first().evaluate((element) => { element.scrollTop = 200_000; });
  await many.locator('tr[data-id="6670"]').waitFor();
  await many.context().close();
});

await test('dark', async () => {
  const dark = await open({ colorScheme: 'dark' });
  await dark.goto(`${base}/#/sessions`);
  await dark.locator('tr[data-id]').first().waitFor();
  const color = await dark.evaluate(() => getComputedStyle(document.body).backgroundColor);
  ensure(/^rgb\((\d+), /.exec(color)[1] < 60, `the background is ${color}`);
  await sleep(800);
  await picture('sessions-dark', dark);
  const id = await (await fetch(`${base}/sessions?account=alice`)).json().then((list) => list.sessions[0].id);
  await dark.goto(`${base}/#/live/${id}`);
  await dark.getByText('following').waitFor();
  alice.call('messageInstantSend nobody 0 "hi"');
  alice.call('channelJoin support');
  await dark.locator('tr[data-kind=frame-in][data-row="channel.join"] td').nth(3).click();
  await dark.locator('pre.explained').waitFor();
  await picture('live-dark', dark);
  await dark.context().close();
});

await test('nothing-else', async () => {
  ensure(errors.length === 0, `the console of the browser has ${errors.join(' | ')}`);
  ensure(foreign.length === 0, `loaded from elsewhere: ${foreign.join(' ')}`);
});

await browser.close();
clients.forEach((made) => made.kill());
console.log(`${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
