// With the same option a call reaches an online peer.

export const name = 'invite-online';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const extra = '{"_require_peer_online":1}';

  alice.invite(room, bob.account, extra);
  await bob.rung(room, alice.account, extra);
  await alice.saw([`${room}/${bob.account}`, 'onInviteReceivedByPeer', '']);
}
