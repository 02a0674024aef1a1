// A deleted attribute causes an event for every member, the deleter included.

import { equal, inAnyOrder } from '../expect.mjs';

export const name = 'channel-delete-attribute';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const inAlices = await alice.joins(room, [[alice.account, alice.uid]]);
  await bob.joins(room, inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid]));
  await alice.saw([room, 'onChannelUserJoined', bob.account, bob.uid]);

  await inAlices.set('topic', 'cats');
  await inAlices.set('state', 'open');
  equal(await inAlices.del('topic'), [], 'cb of channelDelAttr');
  // The last one of all is deleted, too, not cleared.
  await inAlices.del('state');
  for (const member of [alice, bob]) {
    await member.saw(
      [room, 'onChannelAttrUpdated', 'topic', 'cats', 'update'],
      [room, 'onChannelAttrUpdated', 'state', 'open', 'update'],
      [room, 'onChannelAttrUpdated', 'topic', '', 'del'],
      [room, 'onChannelAttrUpdated', 'state', '', 'del'],
    );
  }
}
