// An answered call, ended by the callee. What ends it may carry a text, with the characters that RTM reserves.

export const name = 'invite-end-by-callee';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room_1');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  alice.invite(room, bob.account, '');
  const ringing = await bob.rung(room, alice.account, '');
  ringing.channelInviteAccept('');
  await alice.saw(
    [`${room}/${bob.account}`, 'onInviteReceivedByPeer', ''],
    [`${room}/${bob.account}`, 'onInviteAcceptedByPeer', ''],
  );

  ringing.channelInviteEnd('100%_done');
  await bob.saw([`${room}/${alice.account}`, 'onInviteEndByMyself', '']);
  await alice.saw([`${room}/${bob.account}`, 'onInviteEndByPeer', '100%_done']);
}
