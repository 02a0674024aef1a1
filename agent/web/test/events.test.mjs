// Every event: its name, and its fields on the link.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OF_CHANNEL, OF_CLIENT } from '../page/events.mjs';
import { Stage } from './fake-bridge.mjs';

const RAW = { messageType: 'RAW', rawMessage: Uint8Array.of(0, 255), description: 'd' };
const RAW_OUT = { messageType: 'RAW', rawMessage: 'AP8=', description: 'd' };
const TEXT = { messageType: 'TEXT', text: 'hi' };
const AT = { serverReceivedTs: 1_700_000_000_000 };
const KEPT = { a: { value: '1', lastUpdateUserId: 'bob', lastUpdateTs: 7 } };

/** Event, what the SDK passes, the fields but the session. */
const CLIENT = [
  ['ConnectionStateChanged', ['RECONNECTING', 'INTERRUPTED'], { state: 'RECONNECTING', reason: 'INTERRUPTED' }],
  ['MessageFromPeer', [TEXT, 'b', AT], { peerId: 'b', message: TEXT, ...AT, isOfflineMessage: false }],
  [
    'MessageFromPeer',
    [{ text: 'hi' }, 'b', { ...AT, isOfflineMessage: true }],
    { peerId: 'b', message: TEXT, ...AT, isOfflineMessage: true },
  ],
  ['MessageFromPeer', [RAW, 'b', AT], { peerId: 'b', message: RAW_OUT, ...AT, isOfflineMessage: false }],
  [
    'MessageFromPeer',
    [{ text: 'half \ud800' }, 'b', {}],
    { peerId: 'b', message: { messageType: 'TEXT', text: 'half \ufffd' }, serverReceivedTs: 0, isOfflineMessage: false },
  ],
  ['TokenExpired', [], {}],
  ['TokenPrivilegeWillExpire', [], {}],
  ['PeersOnlineStatusChanged', [{ b: 'ONLINE', c: 'OFFLINE' }], { status: { b: 'ONLINE', c: 'OFFLINE' } }],
];

/** The same, without the channel. */
const CHANNEL = [
  ['MemberJoined', ['b'], { memberId: 'b' }],
  ['MemberLeft', ['b'], { memberId: 'b' }],
  ['MemberCountUpdated', [3], { memberCount: 3 }],
  ['ChannelMessage', [TEXT, 'b', AT], { memberId: 'b', message: TEXT, ...AT }],
  ['ChannelMessage', [RAW, 'b', AT], { memberId: 'b', message: RAW_OUT, ...AT }],
  ['AttributesUpdated', [KEPT], { attributes: KEPT }],
];

for (const [event, args, fields] of CLIENT) {
  test(`${event} ${JSON.stringify(fields)}`, async () => {
    const stage = await new Stage().open();
    const client = await stage.session('1');
    client.emit(event, ...args);
    assert.deepEqual(stage.socket.events.at(-1), [event, { sessionId: '1', ...fields }]);
  });
}

for (const [event, args, fields] of CHANNEL) {
  test(`${event} ${JSON.stringify(fields)}`, async () => {
    const stage = await new Stage().open();
    const client = await stage.session('1');
    await stage.socket.call('channel.join', { sessionId: '1', channelId: 'r' });
    client.channels[0].emit(event, ...args);
    assert.deepEqual(stage.socket.events.at(-1), [event, { sessionId: '1', channelId: 'r', ...fields }]);
  });
}

test('every event has a test', () => {
  const names = (cases) => [...new Set(cases.map(([event]) => event))].sort();
  assert.deepEqual(names(CLIENT), Object.keys(OF_CLIENT).sort());
  assert.deepEqual(names(CHANNEL), Object.keys(OF_CHANNEL).sort());
});

test('a message of a kind that RTM no longer has is passed over', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1');
  const before = stage.socket.objects.length;
  client.emit('MessageFromPeer', { messageType: 'FILE', mediaId: 'm' }, 'b', AT);
  assert.equal(stage.socket.objects.length, before);
});

test('the order of events and answers is the SDK\'s', async () => {
  const stage = await new Stage().open();
  await stage.session('1');
  const sent = stage.socket.objects.map(({ method, id, params }) => method && `${method} ${params.state}` || `answer ${id}`);
  assert.deepEqual(sent, ['answer 1', 'ConnectionStateChanged CONNECTED', 'answer 2']);
  assert.deepEqual(stage.socket.objects.map(({ seq }) => seq), [1, 2, 3]);
});
