// The callee ends what it could have refused: the caller sees an end, and no refusal besides.

export const name = 'invite-end-ringing';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room_1');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  alice.invite(room, bob.account, '');
  const ringing = await bob.rung(room, alice.account, '');
  await alice.saw([`${room}/${bob.account}`, 'onInviteReceivedByPeer', '']);
  ringing.channelInviteEnd('not_now');
  await bob.saw([`${room}/${alice.account}`, 'onInviteEndByMyself', '']);
  await alice.saw([`${room}/${bob.account}`, 'onInviteEndByPeer', 'not_now']);
}
