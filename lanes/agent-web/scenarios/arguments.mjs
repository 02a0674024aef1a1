// Arguments that the SDK rejects locally.

import { refused } from '../context.mjs';

const BAD = refused('ATTRIBUTE_OPERATION', 3, 'INVALID_ARGUMENT');
const BIG = refused('ATTRIBUTE_OPERATION', 4, 'SIZE_OVERFLOW');
const NOT_LOGGED_IN = refused('ATTRIBUTE_OPERATION', 102, 'USER_NOT_LOGGED_IN');
const many = (count, size) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v'.repeat(size)]));

/** Attributes, the answer for a user, for a channel where it is another. */
const ATTRIBUTES = [
  [many(32, 1), NOT_LOGGED_IN],
  [many(33, 1), BIG],
  [{ k: 'v'.repeat(8192) }, NOT_LOGGED_IN],
  [{ k: 'v'.repeat(8193) }, BIG],
  // Some bytes of each pair are the key.
  [many(2, 8192), BIG, NOT_LOGGED_IN],
  [many(4, 8192), BIG],
  [{ ['k'.repeat(32)]: 'v' }, NOT_LOGGED_IN],
  [{ ['k'.repeat(33)]: 'v' }, BAD],
  [{ '': 'v' }, BAD],
  [{ k: '' }, BAD],
  [{ k: 5 }, BAD],
  [{}, BAD],
];

async function attributes(ctx) {
  const session = await ctx.session();
  for (const [map, ofUser, ofChannel = ofUser] of ATTRIBUTES) {
    await session.expect('setLocalUserAttributes', { attributes: map }, ofUser);
    await session.expect('addOrUpdateLocalUserAttributes', { attributes: map }, ofUser);
    await session.expect('setChannelAttributes', { channelId: 'room', attributes: map }, ofChannel);
    await session.expect('addOrUpdateChannelAttributes', { channelId: 'room', attributes: map }, ofChannel);
  }
  await session.expect('deleteLocalUserAttributesByKeys', { attributeKeys: [] }, BAD);
  await session.expect('getUserAttributes', { userId: '' }, BAD);
}

/** User ids that RTM does not take. */
const USERS = ['', 'null', 'a/b', 'a"b', "it's", 'a*b', 'a\\b', 'é', 'x'.repeat(65)];

async function users(ctx) {
  const sessions = await Promise.all(USERS.map(() => ctx.session()));
  await Promise.all(
    sessions.map((session, i) => session.expect('login', { uid: USERS[i] }, refused('LOGIN', 3, 'INVALID_ARGUMENT'))),
  );
}

/** Channel ids that RTM does not take. */
const CHANNELS = ['', 'null', 'a/b', 'é', 'x'.repeat(65)];

async function channels(ctx) {
  const session = await ctx.session();
  for (const channelId of CHANNELS) {
    await session.expect('channel.join', { channelId }, refused('CREATE', 1, 'INVALID_ARGUMENT'));
  }
}

/** App ids that RTM does not take. */
const APPS = ['', 'short', 'x'.repeat(33), 'é'.repeat(32)];

async function apps(ctx) {
  const session = await ctx.session();
  await session.expect('release', {}, {});
  for (const appId of APPS) {
    await session.expect('createInstance', { appId }, refused('CREATE', 1, 'INVALID_ARGUMENT'));
    await session.expect('logout', {}, -32003);
  }
  await session.expect('createInstance', { appId: '0'.repeat(32) }, {});
  await session.expect('createInstance', { appId: '0'.repeat(32) }, -32602);
}

export const scenarios = [
  { name: 'attributes', run: attributes },
  { name: 'user-ids', run: users },
  { name: 'channel-ids', run: channels },
  { name: 'app-ids', run: apps },
];
