// A channel message reaches every member, its sender included, in one order.

import { equal, inAnyOrder, jsonText } from '../expect.mjs';

export const name = 'channel-message';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const inAlices = await alice.joins(room, [[alice.account, alice.uid]]);
  const inBobs = await bob.joins(room, inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid]));
  await alice.saw([room, 'onChannelUserJoined', bob.account, bob.uid]);

  // The SDK's cb of a channel message takes no argument, neither after success nor after failure.
  equal(await inAlices.say('hello room'), [], 'cb of messageChannelSend');
  for (const member of [alice, bob]) {
    await member.saw([room, 'onMessageChannelReceive', alice.account, alice.uid, 'hello room']);
  }
  equal(await inBobs.say('hello alice'), [], 'cb of messageChannelSend');
  for (const member of [alice, bob]) {
    await member.saw([room, 'onMessageChannelReceive', bob.account, bob.uid, 'hello alice']);
  }

  const texts = Array.from({ length: 20 }, (_, i) => `line ${i}`);
  await Promise.all(texts.map((text) => inAlices.say(text)));
  for (const member of [alice, bob]) {
    await member.saw(...texts.map((text) => [room, 'onMessageChannelReceive', alice.account, alice.uid, text]));
  }

  await inBobs.say({ hand: 'up' });
  for (const member of [alice, bob]) {
    await member.saw([room, 'onMessageChannelReceive', bob.account, bob.uid, jsonText({ hand: 'up' })]);
  }
}
