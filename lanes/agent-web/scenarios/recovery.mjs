// What becomes of an agent when parts of it are killed. Each has a browser of its own.

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { equal, matching, Unexpected } from '../../web/expect.mjs';
import { APP_ID, refused } from '../context.mjs';

const CONNECTING = { state: 'CONNECTING', reason: 'LOGIN' };
const TIMED_OUT = { state: 'DISCONNECTED', reason: 'LOGIN_TIMEOUT' };
const another = (agent) => matching('another agent', (got) => typeof got === 'string' && got !== agent);

/** The next hello; the event may have come before anybody waits. */
async function nextHello(driver, count) {
  while (driver.hellos.length <= count) await once(driver, 'hello');
  return driver.hellos[count];
}

/** The page's process is killed: the page is loaded again, as another agent. */
async function pageKilled(ctx) {
  const { driver, agent } = await ctx.own();
  const first = await driver.agent();
  await ctx.session(driver, 'old');
  const { renderers, browser } = await agent.processes();
  for (const pid of renderers) process.kill(pid, 'SIGKILL');
  const second = await nextHello(driver, 1);
  equal(second.agent, another(first.agent), 'the agent');
  equal([second.instances, second.bridge, second.resumed], [[], undefined, false], 'the hello');
  equal((await agent.processes()).browser, browser, 'the browser');
  await stillWorks(ctx, driver);
}

/** The page hangs: it is given another browser. */
async function pageHangs(ctx) {
  const { driver, agent } = await ctx.own();
  const first = await driver.agent();
  const { renderers, browser } = await agent.processes();
  for (const pid of renderers) process.kill(pid, 'SIGSTOP');
  await agent.logged('does not answer');
  const second = await nextHello(driver, 1);
  equal(second.agent, another(first.agent), 'the agent');
  equal((await agent.status()).chromium.pid, matching('another process', (pid) => pid !== browser), 'the browser');
  await stillWorks(ctx, driver);
}

/** The browser is killed, again and again. */
async function browserKilled(ctx) {
  const { driver, agent } = await ctx.own();
  let last = await driver.agent();
  for (let count = 1; count <= 2; count += 1) {
    const { browser } = await agent.processes();
    process.kill(browser, 'SIGKILL');
    const next = await nextHello(driver, count);
    equal(next.agent, another(last.agent), 'the agent');
    last = next;
  }
  equal((await agent.status()).chromium.starts, 3, 'starts of the browser');
  // The later start has waited longer.
  const waits = agent.lines.filter((line) => line.includes('starting Chromium again'));
  equal(waits.map((line) => line.match(/in (\S+) s$/)[1]), ['0.5', '1'], 'waits');
  await stillWorks(ctx, driver);
}

/** The link is cut while a login is under way: nothing is lost, nothing comes twice. */
async function linkCut(ctx) {
  const { driver } = await ctx.own();
  const first = await driver.agent();
  const session = await ctx.session(driver, 'one');
  const login = session.call('login', { uid: 'alice' });
  for (let count = 1; count <= 5; count += 1) {
    await sleep(1500);
    driver.cut();
    const answer = session.call('renewToken', { token: 't' });
    const hello = await nextHello(driver, count);
    equal([hello.agent, hello.resumed], [first.agent, true], 'the hello');
    equal(hello.instances, [{ sessionId: 'one', appId: APP_ID, userId: 'alice' }], 'instances');
    equal(await answer, refused('RENEW_TOKEN', 102, 'USER_NOT_LOGGED_IN'), 'renewToken');
  }
  await session.next('ConnectionStateChanged', CONNECTING);
  await session.next('ConnectionStateChanged', TIMED_OUT);
  equal(await login, refused('LOGIN', 9, 'TIMEOUT'), 'login');
}

/** Another bridge connects: the page stays, and keeps only sessions that were logged in. */
async function anotherBridge(ctx) {
  const { driver } = await ctx.own();
  const first = await driver.agent();
  const session = await ctx.session(driver, 'one');
  driver.become('bridge-2');
  const hello = await nextHello(driver, 1);
  equal([hello.agent, hello.bridge, hello.resumed], [first.agent, 'bridge-1', false], 'the hello');
  await session.expect('logout', {}, -32003);
  await session.expect('createInstance', { appId: '0'.repeat(32), adopt: 'one' }, {});
  await session.expect('logout', {}, refused('LOGOUT', 102, 'USER_NOT_LOGGED_IN'));
}

/** A wrong secret: the handshake is refused, again and again but not all the time; the secret is in no argument. */
async function wrongSecret(ctx) {
  const { driver, agent } = await ctx.own({ wrongSecret: 'not the bridge\'s' });
  await agent.logged('no connection');
  await sleep(2000);
  const count = driver.refused.length;
  equal(driver.refused, Array(count).fill(401), 'refused handshakes');
  if (count < 2 || count > 5) throw new Unexpected(`${count} handshakes in two seconds`);
  const link = await dialledAgain(agent);
  equal(link.error, matching('a word about secrets', (got) => got?.includes('is the secret its own')), 'error');
}

/** SIGTERM ends the agent, its browser and the profile. */
async function terminated(ctx) {
  const { driver, agent } = await ctx.own();
  await driver.agent();
  const { browser } = await agent.processes();
  const closed = once(driver, 'closed');
  equal(await agent.stop(), 0, 'the exit code');
  equal(await closed, [1000], 'the close code of the link');
  try {
    process.kill(browser, 0);
  } catch {
    return;
  }
  throw new Unexpected('the browser lives on');
}

/** The link's status after a second dial. */
async function dialledAgain(agent) {
  for (let waited = 0; waited < 15_000; waited += 200) {
    const { page } = await agent.status();
    if (page?.link.dials > 1) return page.link;
    await sleep(200);
  }
  throw new Unexpected('the status does not show a second dial');
}

async function stillWorks(ctx, driver) {
  const session = await ctx.session(driver);
  await session.expect('logout', {}, refused('LOGOUT', 102, 'USER_NOT_LOGGED_IN'));
}

export const scenarios = [
  { name: 'page-killed', run: pageKilled, own: true },
  { name: 'page-hangs', run: pageHangs, own: true },
  { name: 'browser-killed', run: browserKilled, own: true },
  { name: 'link-cut', run: linkCut, own: true },
  { name: 'another-bridge', run: anotherBridge, own: true },
  { name: 'wrong-secret', run: wrongSecret, own: true },
  { name: 'sigterm', run: terminated, own: true },
];
