// The calls: the Web SDK's names, what each takes, which errors it has, and what it is in the SDK.

const FLAG = { enableNotificationToChannelMembers: 'flag?' };
const option = ({ enableNotificationToChannelMembers }) => ({
  enableNotificationToChannelMembers: enableNotificationToChannelMembers ?? false,
});
/** The client's own method of that name, with these of the parameters in order. */
const own = (method, ...names) => (instance, params) =>
  instance.client[method](...names.map((name) => (name === 'options' ? option(params) : params[name])));

const IN_CHANNEL = { channelId: 'text' };
const PEERS = { peerIds: 'texts' };
const USER_MAP = { attributes: 'object' };
const CHANNEL_MAP = { channelId: 'text', attributes: 'object', ...FLAG };

/**
 * By name: `of` is the error enum, `params` the parameters with their types, `run` makes the call. What it returns is
 * the result, if the call has one; else the link carries `{}`.
 */
export const CALLS = {
  login: {
    of: 'LOGIN',
    params: { uid: 'text', token: 'text?' },
    run: (instance, { uid, token }) => instance.login(uid, token),
  },
  logout: { of: 'LOGOUT', params: {}, run: (instance) => instance.logout() },
  renewToken: { of: 'RENEW_TOKEN', params: { token: 'text' }, run: own('renewToken', 'token') },
  sendMessageToPeer: {
    of: 'PEER_MESSAGE',
    hasResult: true,
    params: { peerId: 'text', message: 'message' },
    run: async ({ client }, { message, peerId }) => (await client.sendMessageToPeer(message, peerId)).hasPeerReceived,
  },
  queryPeersOnlineStatus: {
    of: 'QUERY_PEERS_ONLINE_STATUS',
    hasResult: true,
    params: PEERS,
    run: own('queryPeersOnlineStatus', 'peerIds'),
  },
  subscribePeersOnlineStatus: {
    of: 'PEER_SUBSCRIPTION_STATUS',
    params: PEERS,
    run: own('subscribePeersOnlineStatus', 'peerIds'),
  },
  unsubscribePeersOnlineStatus: {
    of: 'PEER_SUBSCRIPTION_STATUS',
    params: PEERS,
    run: own('unsubscribePeersOnlineStatus', 'peerIds'),
  },
  queryPeersBySubscriptionOption: {
    of: 'QUERY_PEERS_BY_SUBSCRIPTION_OPTION',
    hasResult: true,
    params: {},
    run: ({ client }) => client.queryPeersBySubscriptionOption('ONLINE_STATUS'),
  },
  setLocalUserAttributes: {
    of: 'ATTRIBUTE_OPERATION',
    params: USER_MAP,
    run: own('setLocalUserAttributes', 'attributes'),
  },
  addOrUpdateLocalUserAttributes: {
    of: 'ATTRIBUTE_OPERATION',
    params: USER_MAP,
    run: own('addOrUpdateLocalUserAttributes', 'attributes'),
  },
  deleteLocalUserAttributesByKeys: {
    of: 'ATTRIBUTE_OPERATION',
    params: { attributeKeys: 'texts' },
    run: own('deleteLocalUserAttributesByKeys', 'attributeKeys'),
  },
  clearLocalUserAttributes: { of: 'ATTRIBUTE_OPERATION', params: {}, run: own('clearLocalUserAttributes') },
  getUserAttributes: {
    of: 'ATTRIBUTE_OPERATION',
    hasResult: true,
    params: { userId: 'text' },
    run: own('getUserAttributes', 'userId'),
  },
  getUserAttributesByKeys: {
    of: 'ATTRIBUTE_OPERATION',
    hasResult: true,
    params: { userId: 'text', attributeKeys: 'texts' },
    run: own('getUserAttributesByKeys', 'userId', 'attributeKeys'),
  },
  'channel.join': {
    of: 'JOIN_CHANNEL',
    params: IN_CHANNEL,
    run: (instance, { channelId }) => instance.channels.join(channelId),
  },
  'channel.leave': {
    of: 'LEAVE_CHANNEL',
    params: IN_CHANNEL,
    run: (instance, { channelId }) => instance.channels.leave(channelId),
  },
  'channel.sendMessage': {
    of: 'CHANNEL_MESSAGE',
    params: { channelId: 'text', message: 'message' },
    run: (instance, { channelId, message }) => instance.channels.get(channelId).sendMessage(message),
  },
  'channel.getMembers': {
    of: 'GET_MEMBERS',
    hasResult: true,
    params: IN_CHANNEL,
    run: (instance, { channelId }) => instance.channels.get(channelId).getMembers(),
  },
  getChannelMemberCount: {
    of: 'GET_CHANNEL_MEMBER_COUNT',
    hasResult: true,
    params: { channelIds: 'texts' },
    run: own('getChannelMemberCount', 'channelIds'),
  },
  setChannelAttributes: {
    of: 'ATTRIBUTE_OPERATION',
    params: CHANNEL_MAP,
    run: own('setChannelAttributes', 'channelId', 'attributes', 'options'),
  },
  addOrUpdateChannelAttributes: {
    of: 'ATTRIBUTE_OPERATION',
    params: CHANNEL_MAP,
    run: own('addOrUpdateChannelAttributes', 'channelId', 'attributes', 'options'),
  },
  deleteChannelAttributesByKeys: {
    of: 'ATTRIBUTE_OPERATION',
    params: { channelId: 'text', attributeKeys: 'texts', ...FLAG },
    run: own('deleteChannelAttributesByKeys', 'channelId', 'attributeKeys', 'options'),
  },
  clearChannelAttributes: {
    of: 'ATTRIBUTE_OPERATION',
    params: { channelId: 'text', ...FLAG },
    run: own('clearChannelAttributes', 'channelId', 'options'),
  },
  getChannelAttributes: {
    of: 'ATTRIBUTE_OPERATION',
    hasResult: true,
    params: IN_CHANNEL,
    run: own('getChannelAttributes', 'channelId'),
  },
  getChannelAttributesByKeys: {
    of: 'ATTRIBUTE_OPERATION',
    hasResult: true,
    params: { channelId: 'text', attributeKeys: 'texts' },
    run: own('getChannelAttributesByKeys', 'channelId', 'attributeKeys'),
  },
  'localInvitation.send': {
    of: 'INVITATION_API_CALL',
    params: { invitation: 'number', calleeId: 'text', channelId: 'text?', content: 'text?' },
    run: (instance, params) => instance.invitations.send(params),
  },
  'localInvitation.cancel': {
    of: 'INVITATION_API_CALL',
    params: { invitation: 'number', content: 'text?' },
    run: (instance, params) => instance.invitations.cancel(params),
  },
  'remoteInvitation.accept': {
    of: 'INVITATION_API_CALL',
    params: { invitation: 'number', response: 'text?' },
    run: (instance, params) => instance.invitations.answer('accept', params),
  },
  'remoteInvitation.refuse': {
    of: 'INVITATION_API_CALL',
    params: { invitation: 'number', response: 'text?' },
    run: (instance, params) => instance.invitations.answer('refuse', params),
  },
};
