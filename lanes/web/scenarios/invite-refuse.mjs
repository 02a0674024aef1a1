// A call that is turned down, with the reason applications put into the extra.

export const name = 'invite-refuse';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  alice.invite(room, bob.account, '{"_timeout":20}');
  const ringing = await bob.rung(room, alice.account, '{"_timeout":20}');
  await alice.saw([`${room}/${bob.account}`, 'onInviteReceivedByPeer', '']);
  ringing.channelInviteRefuse('{"status":1}');
  await alice.saw([`${room}/${bob.account}`, 'onInviteRefusedByPeer', '{"status":1}']);
}
