// What each call is answered before any login: the SDK's own words.

import { refused } from '../context.mjs';

const TEXT = { messageType: 'TEXT', text: 'hi' };
const RAW = { messageType: 'RAW', rawMessage: 'AAEC', description: 'three bytes' };
const MAP = { key: 'value' };
const KEYS = { attributeKeys: ['key'] };
const NOT_LOGGED_IN = [102, 'USER_NOT_LOGGED_IN'];

/** Call, parameters, enum. */
const REFUSED = [
  ['logout', {}, 'LOGOUT'],
  ['renewToken', { token: 't' }, 'RENEW_TOKEN'],
  ['sendMessageToPeer', { peerId: 'bob', message: TEXT }, 'PEER_MESSAGE'],
  ['sendMessageToPeer', { peerId: 'bob', message: RAW }, 'PEER_MESSAGE'],
  // Arguments of these are checked after the login is.
  ['sendMessageToPeer', { peerId: 'no/such', message: TEXT }, 'PEER_MESSAGE'],
  ['queryPeersOnlineStatus', { peerIds: ['bob'] }, 'QUERY_PEERS_ONLINE_STATUS'],
  ['queryPeersOnlineStatus', { peerIds: [] }, 'QUERY_PEERS_ONLINE_STATUS'],
  ['subscribePeersOnlineStatus', { peerIds: ['bob'] }, 'PEER_SUBSCRIPTION_STATUS'],
  ['unsubscribePeersOnlineStatus', { peerIds: ['bob'] }, 'PEER_SUBSCRIPTION_STATUS'],
  ['queryPeersBySubscriptionOption', {}, 'QUERY_PEERS_BY_SUBSCRIPTION_OPTION'],
  ['setLocalUserAttributes', { attributes: MAP }, 'ATTRIBUTE_OPERATION'],
  ['addOrUpdateLocalUserAttributes', { attributes: MAP }, 'ATTRIBUTE_OPERATION'],
  ['deleteLocalUserAttributesByKeys', KEYS, 'ATTRIBUTE_OPERATION'],
  ['clearLocalUserAttributes', {}, 'ATTRIBUTE_OPERATION'],
  ['getUserAttributes', { userId: 'bob' }, 'ATTRIBUTE_OPERATION'],
  ['getUserAttributesByKeys', { userId: 'bob', ...KEYS }, 'ATTRIBUTE_OPERATION'],
  ['channel.join', { channelId: 'room' }, 'JOIN_CHANNEL'],
  ['channel.leave', { channelId: 'room' }, 'LEAVE_CHANNEL'],
  ['channel.sendMessage', { channelId: 'room', message: TEXT }, 'CHANNEL_MESSAGE'],
  ['channel.getMembers', { channelId: 'room' }, 'GET_MEMBERS'],
  ['getChannelMemberCount', { channelIds: ['room'] }, 'GET_CHANNEL_MEMBER_COUNT'],
  ['getChannelMemberCount', { channelIds: [] }, 'GET_CHANNEL_MEMBER_COUNT'],
  ['setChannelAttributes', { channelId: 'room', attributes: MAP }, 'ATTRIBUTE_OPERATION'],
  ['addOrUpdateChannelAttributes', { channelId: 'room', attributes: MAP }, 'ATTRIBUTE_OPERATION'],
  ['deleteChannelAttributesByKeys', { channelId: 'room', ...KEYS }, 'ATTRIBUTE_OPERATION'],
  ['clearChannelAttributes', { channelId: 'room' }, 'ATTRIBUTE_OPERATION'],
  ['getChannelAttributes', { channelId: 'room' }, 'ATTRIBUTE_OPERATION'],
  ['getChannelAttributesByKeys', { channelId: 'room', ...KEYS }, 'ATTRIBUTE_OPERATION'],
];

/** Calls that are wrong for the link, and its code. */
const WRONG = [
  ['fly', {}, -32601],
  ['Rest.channelMessage', { userId: 'u', channel: 'c', payload: 'p' }, -32601],
  ['sendMessageToPeer', { peerId: 'bob', message: 'hi' }, -32602],
  ['sendMessageToPeer', { peerId: 5, message: TEXT }, -32602],
];

export const name = 'before-login';

export async function run(ctx) {
  const session = await ctx.session();
  for (const [call, params, operation] of REFUSED) {
    await session.expect(call, params, refused(operation, ...NOT_LOGGED_IN));
  }
  for (const [call, params, code] of WRONG) await session.expect(call, params, code);
}
