// The one method that needs no server; it shows which SDK has been tested.

import { equal } from '../expect.mjs';

export const name = 'sdk-version';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.client(ctx.name('alice'));
  equal(await alice.version(), '1.4.0', 'getSDKVersion');
}
