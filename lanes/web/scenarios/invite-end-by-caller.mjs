// An answered call, ended by the caller. What ends it may carry a text, with the characters that RTM reserves.

export const name = 'invite-end-by-caller';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room_1');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  const calling = alice.invite(room, bob.account, '');
  const ringing = await bob.rung(room, alice.account, '');
  ringing.channelInviteAccept('');
  await alice.saw(
    [`${room}/${bob.account}`, 'onInviteReceivedByPeer', ''],
    [`${room}/${bob.account}`, 'onInviteAcceptedByPeer', ''],
  );

  calling.channelInviteEnd('100%_done');
  await alice.saw([`${room}/${bob.account}`, 'onInviteEndByMyself', '']);
  await bob.saw([`${room}/${alice.account}`, 'onInviteEndByPeer', '100%_done']);
}
