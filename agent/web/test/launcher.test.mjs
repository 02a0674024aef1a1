// The launcher's parts that need no browser.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findChromium } from '../launcher/chromium.mjs';
import { readOptions } from '../launcher/options.mjs';
import { Pipe } from '../launcher/pipe.mjs';
import { findSdk } from '../launcher/sdk.mjs';
import { startSite } from '../launcher/site.mjs';
import { settled } from './fake-clock.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sigbridge-test-'));
after(() => rmSync(folder, { recursive: true }));

function file(name, text, mode = 0o600) {
  const where = path.join(folder, name);
  mkdirSync(path.dirname(where), { recursive: true });
  writeFileSync(where, text);
  chmodSync(where, mode);
  return where;
}

test('without arguments all is at its default', () => {
  const options = readOptions([], {});
  assert.deepEqual(
    [options.bridge, options.secret, options.port, options.chromiumArgs, options.areas, options.cloudProxy],
    ['ws://127.0.0.1:8010/agent', '', 8011, [], undefined, false],
  );
});

test('the secret comes from a file or the environment, without its line end', () => {
  const secretFile = file('secret', 'from the file\n');
  const env = { SIGBRIDGE_AGENT_SECRET: 'from the environment\n' };
  assert.equal(readOptions([], env).secret, 'from the environment');
  assert.equal(readOptions(['--secret-file', secretFile], env).secret, 'from the file');
});

/** Arguments, and the error. */
const WRONG = [
  [['--secret', 'x'], /Unknown option '--secret'/],
  [['--secret-file', '/nowhere/at/all'], /cannot read the secret/],
  [['--secret-file', '/dev/null'], /is empty/],
  [['--bridge', 'http://127.0.0.1/'], /no ws:\/\/ or wss:\/\/ address/],
  [['--bridge', 'nonsense'], /no ws:\/\/ or wss:\/\/ address/],
  [['--port', '65536'], /no port/],
  [['--port', '-1'], /./],
  [['--area', 'MOON'], /areas: GLOBAL/],
];

for (const [args, expected] of WRONG) {
  test(`${args.join(' ')} is refused`, () => {
    assert.throws(() => readOptions(args, {}), (error) => expected.test(error.message) && error.hint.length > 0);
  });
}

test('the SDK is found where npm puts it, and its absence is reported', () => {
  const about = JSON.stringify({ version: '1.5.1', main: 'main.js', browser: 'browser.js' });
  file('node_modules/agora-rtm-sdk/package.json', about);
  assert.deepEqual(findSdk(folder), {
    version: '1.5.1',
    file: path.join(folder, 'node_modules/agora-rtm-sdk/browser.js'),
  });
  assert.throws(() => findSdk('/nowhere'), ({ hint }) => hint === 'npm ci --prefix /nowhere');
});

test('a missing browser is reported', () => {
  assert.throws(() => findChromium('no-such-browser'), /not installed: no-such-browser/);
  assert.equal(findChromium('/bin/sh'), '/bin/sh');
});

test('the site has the page, the SDK, the status and nothing else', async () => {
  const site = await startSite({ port: 0, sdk: file('sdk.js', 'the SDK'), status: () => ({ state: 'running' }) });
  const { port } = new URL(site.origin);
  const get = (where, { host = `127.0.0.1:${port}`, method = 'GET' } = {}) =>
    new Promise((resolve, reject) => {
      const request = http.request({ host: '127.0.0.1', port, path: where, method, headers: { host } }, async (response) => {
        resolve([response.statusCode, Buffer.concat(await response.toArray()).toString()]);
      });
      request.on('error', reject).end();
    });
  assert.deepEqual(await get('/sdk.js'), [200, 'the SDK']);
  assert.deepEqual(await get('/status'), [200, '{"state":"running"}']);
  assert.equal((await get('/'))[0], 200);
  assert.equal((await get('/host.mjs'))[0], 200);
  for (const where of ['/../launch.mjs', '/launcher/site.mjs', '/package.json', '/sdk.js?x', '//sdk.js', '/__proto__']) {
    assert.equal((await get(where))[0], 404, where);
  }
  assert.equal((await get('/', { host: 'evil.example.com' }))[0], 421);
  assert.equal((await get('/', { method: 'POST' }))[0], 405);
  await assert.rejects(startSite({ port: Number(port), sdk: file('sdk.js', ''), status: () => ({}) }), ({ hint }) => Boolean(hint));
  site.close();
});

test('neither a reader of the log that goes nor a hangup ends it', async (t) => {
  const about = JSON.stringify({ version: '1.5.1', main: 'main.js', browser: 'browser.js' });
  file('node_modules/agora-rtm-sdk/package.json', about);
  file('node_modules/agora-rtm-sdk/browser.js', '');
  const launcher = path.join(import.meta.dirname, '../launch.mjs');
  const args = [launcher, '--sdk', folder, '--port', '0', '--chromium', '/bin/false'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let [stderr, origin] = ['', undefined];
  while (!origin) {
    stderr += (await once(child.stderr, 'data'))[0];
    [, origin] = /the page's origin is (http:\S+)\n/.exec(stderr) ?? [];
  }
  child.stderr.destroy();
  const starts = async () => (await (await fetch(`${origin}/status`)).json()).chromium.starts;
  // Each end of the browser is a line that the test does not read.
  while ((await starts()) < 2) await sleep(50);
  child.kill('SIGHUP');
  while ((await starts()) < 3) await sleep(50);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('the pipe takes its objects apart, wherever they are cut', async () => {
  const [out, from, events] = [new PassThrough(), new PassThrough(), []];
  const pipe = new Pipe(out, from, (...event) => events.push(event));
  const first = pipe.call('A.a');
  const second = assert.rejects(pipe.call('B.b', { c: 1 }, 's'), /B\.b: no/);
  assert.equal(String(out.read()), '{"id":1,"method":"A.a","params":{}}\0{"id":2,"method":"B.b","params":{"c":1},"sessionId":"s"}\0');
  const replies = '{"method":"E.e","params":{"t":"ä"},"sessionId":"s"}\0{"id":2,"error":{"message":"no"}}\0{"id":1,"result":{"d":2}}\0{"id":9}\0';
  for (const byte of Buffer.from(replies)) from.write(Buffer.of(byte));
  await settled();
  assert.deepEqual(await first, { d: 2 });
  await second;
  assert.deepEqual(events, [['E.e', { t: 'ä' }, 's']]);
  const late = pipe.call('C.c');
  pipe.close();
  await assert.rejects(late, /C\.c: Chromium has ended/);
  await assert.rejects(pipe.call('D.d'), /D\.d: Chromium has ended/);
});
