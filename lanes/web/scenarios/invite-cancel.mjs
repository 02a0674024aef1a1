// The caller hangs up while it rings.

export const name = 'invite-cancel';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  const calling = alice.invite(room, bob.account, '');
  await bob.rung(room, alice.account, '');
  await alice.saw([`${room}/${bob.account}`, 'onInviteReceivedByPeer', '']);
  calling.channelInviteEnd();
  await alice.saw([`${room}/${bob.account}`, 'onInviteEndByMyself', '']);
  await bob.saw([`${room}/${alice.account}`, 'onInviteEndByPeer', '']);
}
