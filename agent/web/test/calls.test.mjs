// Every call: what of the SDK it is, and what comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALLS } from '../page/calls.mjs';
import { NAMES } from '../page/errors.mjs';
import { APP, Stage } from './fake-bridge.mjs';
import { sdkError } from './fake-sdk.mjs';

const TEXT = { messageType: 'TEXT', text: 'hi' };
const QUIET = { enableNotificationToChannelMembers: false };
const LOUD = { enableNotificationToChannelMembers: true };
const MAP = { a: '1', b: '2' };
const KEPT = { a: { value: '1', lastUpdateUserId: 'bob', lastUpdateTs: 7 } };

/** Call, parameters, call of the SDK's client, its answer, the result. */
const OF_CLIENT = [
  ['login', { uid: 'u', token: 't' }, ['login', { uid: 'u', token: 't' }]],
  ['login', { uid: 'u' }, ['login', { uid: 'u', token: undefined }]],
  ['logout', {}, ['logout']],
  ['renewToken', { token: 't' }, ['renewToken', 't']],
  ['sendMessageToPeer', { peerId: 'b', message: TEXT }, ['sendMessageToPeer', TEXT, 'b'], { hasPeerReceived: true }, true],
  ['sendMessageToPeer', { peerId: 'b', message: TEXT }, ['sendMessageToPeer', TEXT, 'b'], { hasPeerReceived: false }, false],
  [
    'sendMessageToPeer',
    { peerId: 'b', message: { messageType: 'RAW', rawMessage: 'AP8=', description: 'd' } },
    ['sendMessageToPeer', { messageType: 'RAW', rawMessage: Uint8Array.of(0, 255), description: 'd' }, 'b'],
    { hasPeerReceived: true },
    true,
  ],
  ['queryPeersOnlineStatus', { peerIds: ['b'] }, ['queryPeersOnlineStatus', ['b']], { b: true }, { b: true }],
  ['subscribePeersOnlineStatus', { peerIds: ['b'] }, ['subscribePeersOnlineStatus', ['b']]],
  ['unsubscribePeersOnlineStatus', { peerIds: ['b'] }, ['unsubscribePeersOnlineStatus', ['b']]],
  ['queryPeersBySubscriptionOption', {}, ['queryPeersBySubscriptionOption', 'ONLINE_STATUS'], ['b'], ['b']],
  ['setLocalUserAttributes', { attributes: MAP }, ['setLocalUserAttributes', MAP]],
  ['addOrUpdateLocalUserAttributes', { attributes: MAP }, ['addOrUpdateLocalUserAttributes', MAP]],
  ['deleteLocalUserAttributesByKeys', { attributeKeys: ['a'] }, ['deleteLocalUserAttributesByKeys', ['a']]],
  ['clearLocalUserAttributes', {}, ['clearLocalUserAttributes']],
  ['getUserAttributes', { userId: 'b' }, ['getUserAttributes', 'b'], MAP, MAP],
  ['getUserAttributesByKeys', { userId: 'b', attributeKeys: ['a'] }, ['getUserAttributesByKeys', 'b', ['a']], MAP, MAP],
  ['getChannelMemberCount', { channelIds: ['r'] }, ['getChannelMemberCount', ['r']], { r: 3 }, { r: 3 }],
  ['setChannelAttributes', { channelId: 'r', attributes: MAP, ...LOUD }, ['setChannelAttributes', 'r', MAP, LOUD]],
  ['addOrUpdateChannelAttributes', { channelId: 'r', attributes: MAP }, ['addOrUpdateChannelAttributes', 'r', MAP, QUIET]],
  [
    'deleteChannelAttributesByKeys',
    { channelId: 'r', attributeKeys: ['a'], ...LOUD },
    ['deleteChannelAttributesByKeys', 'r', ['a'], LOUD],
  ],
  ['clearChannelAttributes', { channelId: 'r' }, ['clearChannelAttributes', 'r', QUIET]],
  ['getChannelAttributes', { channelId: 'r' }, ['getChannelAttributes', 'r'], KEPT, KEPT],
  ['getChannelAttributesByKeys', { channelId: 'r', attributeKeys: ['a'] }, ['getChannelAttributesByKeys', 'r', ['a']], KEPT, KEPT],
];

for (const [call, params, sdkCall, answer, result = {}] of OF_CLIENT) {
  test(`${call} is ${sdkCall[0]}, answered ${JSON.stringify(result)}`, async () => {
    const stage = await new Stage().open();
    await stage.socket.call('createInstance', { sessionId: '1', appId: APP });
    const [client] = stage.sdk.clients;
    client.answers[sdkCall[0]] = answer;
    assert.deepEqual((await stage.socket.call(call, { sessionId: '1', ...params })).result, result);
    assert.deepEqual(client.calls, [sdkCall]);
  });
}

/** Call, parameters but the channel, call of the SDK's channel, its answer, the result. */
const OF_CHANNEL = [
  ['channel.join', {}, ['join']],
  ['channel.leave', {}, ['leave']],
  ['channel.sendMessage', { message: TEXT }, ['sendMessage', TEXT]],
  ['channel.getMembers', {}, ['getMembers'], ['b', 'c'], ['b', 'c']],
];

for (const [call, params, sdkCall, answer, result = {}] of OF_CHANNEL) {
  test(`${call} is the channel's ${sdkCall[0]}`, async () => {
    const stage = await new Stage().open();
    const client = await stage.session('1');
    client.createChannel = function createChannel(channelId) {
      const channel = Object.getPrototypeOf(this).createChannel.call(this, channelId);
      channel.answers[sdkCall[0]] = answer;
      return channel;
    };
    const got = await stage.socket.call(call, { sessionId: '1', channelId: 'r', ...params });
    assert.deepEqual(got.result, result);
    assert.deepEqual(client.channels.map(({ channelId, calls }) => [channelId, calls]), [['r', [sdkCall]]]);
  });
}

test('a joined channel is one object until it is left', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1');
  const call = (method, params) => stage.socket.call(method, { sessionId: '1', channelId: 'r', ...params });
  await call('channel.join');
  client.channels[0].answers.join = sdkError(6);
  assert.equal((await call('channel.join')).error.data.name, 'ALREADY_JOINED');
  await call('channel.sendMessage', { message: TEXT });
  assert.equal(client.channels.length, 1);
  await call('channel.leave');
  await call('channel.join');
  assert.equal(client.channels.length, 2);
  client.channels[0].emit('MemberJoined', 'b');
  client.channels[1].emit('MemberJoined', 'c');
  assert.deepEqual(stage.socket.events.at(-1), ['MemberJoined', { sessionId: '1', channelId: 'r', memberId: 'c' }]);
  assert.equal(stage.socket.events.filter(([name]) => name === 'MemberJoined').length, 1);
});

test('a channel whose join fails is not kept', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1');
  client.createChannel = function createChannel(channelId) {
    const channel = Object.getPrototypeOf(this).createChannel.call(this, channelId);
    channel.answers.join = sdkError(4);
    return channel;
  };
  const join = () => stage.socket.call('channel.join', { sessionId: '1', channelId: 'r' });
  assert.equal((await join()).error.data.name, 'TIMEOUT');
  await join();
  assert.equal(client.channels.length, 2);
  assert.equal(client.channels[0].listenerCount('ChannelMessage'), 0);
});

test('every call has a test', () => {
  const tested = new Set([...OF_CLIENT, ...OF_CHANNEL].map(([call]) => call));
  const left = Object.keys(CALLS).filter((call) => !tested.has(call) && !call.includes('Invitation'));
  assert.deepEqual(left, []);
});

test('an error has its enum, number and name', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1');
  for (const [call, params, [method]] of OF_CLIENT) {
    for (const [number, name] of Object.entries(NAMES[CALLS[call].of])) {
      client.answers[method] = sdkError(Number(number));
      const { error } = await stage.socket.call(call, { sessionId: '1', ...params });
      const operation = CALLS[call].of;
      assert.deepEqual(error, {
        code: -32000,
        message: `${operation}.${name}`,
        data: { operation, errorCode: Number(number), name },
      });
    }
  }
});

/** What the SDK rejects with, the answer. */
const ODD = [
  [sdkError(77), { code: -32000, message: 'LOGIN.77', data: { operation: 'LOGIN', errorCode: 77 } }],
  [new TypeError('oops'), { code: -32603, message: 'the SDK failed: oops' }],
];

for (const [rejection, error] of ODD) {
  test(`${rejection} is ${error.message}`, async () => {
    const stage = await new Stage().open();
    await stage.socket.call('createInstance', { sessionId: '1', appId: APP });
    stage.sdk.clients[0].answers.login = rejection;
    assert.deepEqual((await stage.socket.call('login', { sessionId: '1', uid: 'u' })).error, error);
  });
}

/** Call, parameters, the code. */
const WRONG = [
  ['fly', { sessionId: '1' }, -32601],
  ['toString', { sessionId: '1' }, -32601],
  ['Rest.channelMessage', { sessionId: '1' }, -32601],
  ['login', { sessionId: '2', uid: 'u' }, -32003],
  ['release', { sessionId: '2' }, -32003],
  ['login', { uid: 'u' }, -32602],
  ['login', { sessionId: '1' }, -32602],
  ['login', { sessionId: '1', uid: 5 }, -32602],
  ['login', [], -32602],
  ['createInstance', { sessionId: '1', appId: APP }, -32602],
  ['createInstance', { sessionId: '2' }, -32602],
  ['createInstance', { sessionId: '2', appId: 'short' }, -32000],
  ['channel.join', { sessionId: '1', channelId: '' }, -32000],
  ['queryPeersOnlineStatus', { sessionId: '1', peerIds: 'b' }, -32602],
  ['queryPeersOnlineStatus', { sessionId: '1', peerIds: [5] }, -32602],
  ['setLocalUserAttributes', { sessionId: '1', attributes: ['a'] }, -32602],
  ['sendMessageToPeer', { sessionId: '1', peerId: 'b', message: 'hi' }, -32602],
  ['sendMessageToPeer', { sessionId: '1', peerId: 'b', message: {} }, -32602],
  ['sendMessageToPeer', { sessionId: '1', peerId: 'b', message: { text: 'a', rawMessage: 'AA==' } }, -32602],
  ['sendMessageToPeer', { sessionId: '1', peerId: 'b', message: { rawMessage: '?' } }, -32602],
  ['clearChannelAttributes', { sessionId: '1', channelId: 'r', enableNotificationToChannelMembers: 1 }, -32602],
];

for (const [call, params, code] of WRONG) {
  test(`${call} ${JSON.stringify(params)} is ${code}`, async () => {
    const stage = await new Stage().open();
    await stage.socket.call('createInstance', { sessionId: '1', appId: APP });
    const { error } = await stage.socket.call(call, params);
    assert.equal(error.code, code);
    if (code === -32000) assert.equal(error.data.operation, 'CREATE');
  });
}

test('a release logs out, and ends the session', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1');
  assert.deepEqual((await stage.socket.call('release', { sessionId: '1' })).result, {});
  assert.deepEqual(client.calls.at(-1), ['logout']);
  assert.equal((await stage.socket.call('logout', { sessionId: '1' })).error.code, -32003);
  await stage.session('1');
  assert.equal(stage.sdk.clients.length, 2);
});

test('areas and the cloud proxy are passed to the SDK', async () => {
  const stage = await new Stage({ areas: ['CHINA'], cloudProxy: true }).open();
  await stage.session('1');
  assert.deepEqual(stage.sdk.created, [
    [APP, { enableLogUpload: false, logFilter: 'off', enableCloudProxy: true }, ['CHINA']],
  ]);
});

test('a result that no frame can hold is an error', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1');
  client.answers.getUserAttributes = { a: 'x'.repeat(300_000) };
  const { error } = await stage.socket.call('getUserAttributes', { sessionId: '1', userId: 'b' });
  assert.equal(error.code, -32603);
});
