// The SDK never stops the poller of its login before a lost connection. It must not deliver messages a second time.

export const name = 'reconnect-once';
export const needs = 'open';
export const cuts = true;

export async function run(ctx) {
  const room = ctx.name('room');
  const proxy = await ctx.proxy();
  const alice = await ctx.user('alice', { proxy });
  const bob = await ctx.user('bob');
  // The loser of the two racing sockets should be out of the way.
  await ctx.sleep(500);

  bob.invite(room, alice.account, '');
  await alice.rung(room, bob.account, '');
  await bob.saw([`${room}/${alice.account}`, 'onInviteReceivedByPeer', '']);
  // Within the second after which the SDK would acknowledge: its old poller does so after the return.
  proxy.sever();
  await alice.loggedIn();
  for (const text of ['one', 'two']) {
    await bob.sends(alice.account, text);
    await alice.saw(['session', 'onMessageInstantReceive', bob.account, 0, text]);
  }
}
