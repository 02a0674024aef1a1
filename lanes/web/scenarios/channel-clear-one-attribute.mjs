// RTM reports the remaining attributes, not the action. A clear of one attribute looks like a delete to others. The
// user who cleared still gets a clear event. This is limitation ATTR-CLEAR.

import { inAnyOrder, matching } from '../expect.mjs';

export const name = 'channel-clear-one-attribute';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const inAlices = await alice.joins(room, [[alice.account, alice.uid]]);
  await bob.joins(room, inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid]));
  await alice.saw([room, 'onChannelUserJoined', bob.account, bob.uid]);

  await inAlices.set('topic', 'cats');
  await inAlices.clear();
  await alice.saw(
    [room, 'onChannelAttrUpdated', 'topic', 'cats', 'update'],
    [room, 'onChannelAttrUpdated', '', '', 'clear'],
  );
  const nameOrNone = matching('topic or nothing', (got) => got === 'topic' || got === '');
  const delOrClear = matching('del or clear', (got) => got === 'del' || got === 'clear');
  await bob.saw(
    [room, 'onChannelAttrUpdated', 'topic', 'cats', 'update'],
    [room, 'onChannelAttrUpdated', nameOrNone, '', delOrClear],
  );
}
