// A call without an answer: the caller gets the timeout that it requested, and the callee stops ringing.

import { equal, jsonText, matching } from '../expect.mjs';

export const name = 'invite-timeout';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const extra = '{"_timeout":2}';

  alice.invite(room, bob.account, extra);
  await bob.rung(room, alice.account, extra);
  const begin = Date.now();
  await alice.saw(
    [`${room}/${bob.account}`, 'onInviteReceivedByPeer', ''],
    [`${room}/${bob.account}`, 'onInviteFailed', jsonText({ reason: 'timeout' })],
  );
  const waited = Date.now() - begin;
  equal(waited, matching('about 2000', (ms) => ms > 1_500 && ms < 3_000), 'milliseconds until onInviteFailed');
  const anyText = matching('a text', (got) => typeof got === 'string');
  await bob.saw([`${room}/${alice.account}`, 'onInviteEndByPeer', anyText]);
}
