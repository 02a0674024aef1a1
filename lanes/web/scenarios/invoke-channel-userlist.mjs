// The list of a channel's members, as the join has it; also by its older name.

import { containing, equal, inAnyOrder } from '../expect.mjs';

export const name = 'invoke-channel-userlist';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const carol = await ctx.user('carol');
  const members = inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid]);
  await alice.joins(room, [[alice.account, alice.uid]]);
  await bob.joins(room, members);
  await alice.saw([room, 'onChannelUserJoined', bob.account, bob.uid]);

  for (const client of [alice, carol]) {
    for (const query of ['channel_query_userlist', 'channel_query_userlist_all']) {
      const answer = await client.invoke(query, { name: room });
      equal(answer, ['', containing({ num: 2, list: members })], `${query} by ${client.account}`);
    }
  }
}
