// While the SDK tries to get back its status is 3.

import { equal } from '../expect.mjs';

export const name = 'reconnect-status';
export const needs = 'open';
export const cuts = true;

export async function run(ctx) {
  const proxy = await ctx.proxy();
  const alice = await ctx.user('alice', { proxy });
  await ctx.sleep(500);

  proxy.hold();
  proxy.sever();
  for (let i = 0; i < 20 && (await alice.status()) !== 3; i += 1) await ctx.sleep(50);
  equal(await alice.status(), 3, 'status without a network');
  await ctx.sleep(500);
  equal(await alice.status(), 3, 'status half a second later');
  proxy.release();
  await alice.loggedIn();
  equal(await alice.status(), 2, 'status after the reconnect');
}
