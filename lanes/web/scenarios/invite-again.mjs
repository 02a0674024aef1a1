// The same pair calls twice: the second call is a call of its own.

export const name = 'invite-again';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  for (const answer of ['first', 'second']) {
    alice.invite(room, bob.account, '');
    const ringing = await bob.rung(room, alice.account, '');
    await alice.saw([`${room}/${bob.account}`, 'onInviteReceivedByPeer', '']);
    ringing.channelInviteRefuse(answer);
    await alice.saw([`${room}/${bob.account}`, 'onInviteRefusedByPeer', answer]);
  }
}
