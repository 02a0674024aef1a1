// A caller who requires an online peer gets a failure at once; applications parse the argument.

import { jsonText } from '../expect.mjs';

export const name = 'invite-offline';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const nobody = ctx.name('nobody');

  alice.invite(room, nobody, '{"_require_peer_online":1}');
  await alice.saw([`${room}/${nobody}`, 'onInviteFailed', jsonText({ reason: 'peer is not online' })]);
}
