// A set attribute causes one event for every member, the setter included.

import { equal, inAnyOrder, jsonText } from '../expect.mjs';

export const name = 'channel-attribute';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const inAlices = await alice.joins(room, [[alice.account, alice.uid]]);
  const inBobs = await bob.joins(room, inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid]));
  await alice.saw([room, 'onChannelUserJoined', bob.account, bob.uid]);
  const bothSee = async (...args) => {
    for (const member of [alice, bob]) await member.saw([room, 'onChannelAttrUpdated', ...args]);
  };

  equal(await inAlices.set('topic', 'cats'), [], 'cb of channelSetAttr');
  await bothSee('topic', 'cats', 'update');
  await inBobs.set('topic', 'dogs');
  await bothSee('topic', 'dogs', 'update');
  // The same value again is still an update.
  await inBobs.set('topic', 'dogs');
  await bothSee('topic', 'dogs', 'update');
  // Applications keep counters in attributes.
  await inAlices.set('count', 7);
  await bothSee('count', jsonText(7), 'update');
}
