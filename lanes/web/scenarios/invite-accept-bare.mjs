// Invited with an empty extra and answered without one.

export const name = 'invite-accept-bare';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  alice.invite(room, bob.account, '');
  const ringing = await bob.rung(room, alice.account, '');
  await alice.saw([`${room}/${bob.account}`, 'onInviteReceivedByPeer', '']);
  ringing.channelInviteAccept();
  await alice.saw([`${room}/${bob.account}`, 'onInviteAcceptedByPeer', '']);
}
