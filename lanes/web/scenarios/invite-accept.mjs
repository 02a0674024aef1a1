// An answered call. The callee's own application gets no callback for its answer.

export const name = 'invite-accept';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room_1');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const extra = '{"destMediaUid":17,"video":true}';

  alice.invite(room, bob.account, extra);
  const ringing = await bob.rung(room, alice.account, extra);
  await alice.saw([`${room}/${bob.account}`, 'onInviteReceivedByPeer', '']);
  ringing.channelInviteAccept('{"answer":"yes"}');
  await alice.saw([`${room}/${bob.account}`, 'onInviteAcceptedByPeer', '{"answer":"yes"}']);
}
