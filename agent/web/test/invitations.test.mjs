// Invitations: numbers on the link, objects in the SDK.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALLS } from '../page/calls.mjs';
import { OF_LOCAL_INVITATION, OF_REMOTE_INVITATION } from '../page/events.mjs';
import { Stage } from './fake-bridge.mjs';
import { sdkError } from './fake-sdk.mjs';

const FIRST_INCOMING = 2 ** 32;

async function open() {
  const stage = await new Stage().open();
  const client = await stage.session('1');
  const call = (method, params) => stage.socket.call(method, { sessionId: '1', ...params });
  return { stage, client, call };
}

/** Event, what the SDK passes, the fields but the session and the invitation. */
const LOCAL = [
  ['LocalInvitationReceivedByPeer', [], {}],
  ['LocalInvitationAccepted', ['yes'], { response: 'yes' }],
  ['LocalInvitationRefused', ['no'], { response: 'no' }],
  ['LocalInvitationCanceled', [], {}],
  ['LocalInvitationFailure', ['PEER_OFFLINE'], { reason: 'PEER_OFFLINE' }],
];
const REMOTE = [
  ['RemoteInvitationAccepted', [], {}],
  ['RemoteInvitationRefused', [], {}],
  ['RemoteInvitationCanceled', ['bye'], { content: 'bye' }],
  ['RemoteInvitationFailure', ['INVITATION_EXPIRE'], { reason: 'INVITATION_EXPIRE' }],
];

for (const [event, args, fields] of LOCAL) {
  test(`${event} has its invitation`, async () => {
    const { stage, client, call } = await open();
    assert.deepEqual((await call('localInvitation.send', { invitation: 7, calleeId: 'b', channelId: 'r', content: 'c' })).result, {});
    const [object] = client.invitations;
    assert.deepEqual([object.calleeId, object.channelId, object.content, object.calls], ['b', 'r', 'c', ['send']]);
    object.emit(event, ...args);
    const invitation = { invitation: 7, calleeId: 'b', channelId: 'r', content: 'c', response: '' };
    assert.deepEqual(stage.socket.events.at(-1), [event, { sessionId: '1', invitation, ...fields }]);
  });
}

for (const [event, args, fields] of REMOTE) {
  test(`${event} has its invitation`, async () => {
    const { stage, client, call } = await open();
    const object = client.invite({ callerId: 'b', channelId: '', content: 'c' });
    const invitation = { invitation: FIRST_INCOMING, callerId: 'b', channelId: null, content: 'c', response: '' };
    assert.deepEqual(stage.socket.events.at(-1), ['RemoteInvitationReceived', { sessionId: '1', invitation }]);
    await call('remoteInvitation.accept', { invitation: FIRST_INCOMING, response: 'ok' });
    assert.deepEqual([object.response, object.calls], ['ok', ['accept']]);
    object.emit(event, ...args);
    const answered = { ...invitation, response: 'ok' };
    assert.deepEqual(stage.socket.events.at(-1), [event, { sessionId: '1', invitation: answered, ...fields }]);
  });
}

test('every event and every call of invitations has a test', () => {
  const names = (cases) => cases.map(([event]) => event).sort();
  assert.deepEqual(names(LOCAL), Object.keys(OF_LOCAL_INVITATION).sort());
  assert.deepEqual(names(REMOTE), Object.keys(OF_REMOTE_INVITATION).sort());
  assert.equal(Object.keys(CALLS).filter((call) => call.includes('Invitation')).length, 4);
});

test('a cancel and a refusal carry their words', async () => {
  const { client, call } = await open();
  await call('localInvitation.send', { invitation: 1, calleeId: 'b', channelId: null, content: '' });
  await call('localInvitation.cancel', { invitation: 1, content: 'never mind' });
  assert.deepEqual([client.invitations[0].content, client.invitations[0].calls], ['never mind', ['send', 'cancel']]);
  const object = client.invite({ callerId: 'b', channelId: 'r', content: '' });
  await call('remoteInvitation.refuse', { invitation: FIRST_INCOMING, response: 'busy' });
  assert.deepEqual([object.response, object.calls], ['busy', ['refuse']]);
});

/** Call, parameters, what the object throws, the code of the error. */
const REFUSED = [
  ['localInvitation.cancel', { invitation: 9 }, undefined, 2],
  ['remoteInvitation.accept', { invitation: 9 }, undefined, 2],
  ['localInvitation.cancel', { invitation: 1 }, 3, 3],
  ['localInvitation.send', { invitation: 1, calleeId: 'b', channelId: 'r', content: '' }, 5, 5],
  ['localInvitation.send', { invitation: 2, calleeId: '', channelId: 'r', content: '' }, undefined, 1],
];

for (const [method, params, thrown, errorCode] of REFUSED) {
  test(`${method} ${JSON.stringify(params)} is refused with ${errorCode}`, async () => {
    const { client, call } = await open();
    await call('localInvitation.send', { invitation: 1, calleeId: 'b', channelId: 'r', content: '' });
    client.invitations[0].throws = thrown && sdkError(thrown);
    const { error } = await call(method, params);
    assert.deepEqual([error.data.operation, error.data.errorCode], ['INVITATION_API_CALL', errorCode]);
  });
}

test('a number whose invitation was never sent is free', async () => {
  const { client, call } = await open();
  client.createLocalInvitation = function create(calleeId) {
    const object = Object.getPrototypeOf(this).createLocalInvitation.call(this, calleeId);
    object.throws = this.invitations.length === 1 ? sdkError(1) : undefined;
    return object;
  };
  const send = () => call('localInvitation.send', { invitation: 1, calleeId: 'b', channelId: 'r', content: 'c' });
  assert.equal((await send()).error.data.errorCode, 1);
  assert.deepEqual((await send()).result, {});
});

test('events that the SDK raises during a call follow the answer', async () => {
  const { stage, client, call } = await open();
  await call('localInvitation.send', { invitation: 1, calleeId: 'b', channelId: 'r', content: '' });
  client.invitations[0].whenCalled = () => client.invitations[0].emit('LocalInvitationFailure', 'NOT_LOGGEDIN');
  const { seq } = await call('localInvitation.cancel', { invitation: 1 });
  const event = stage.socket.objects.find(({ method }) => method === 'LocalInvitationFailure');
  assert.equal(event.seq, seq + 1);
});

test('only so many ended invitations are remembered', async () => {
  const { client, call } = await open();
  for (let invitation = 0; invitation < 300; invitation += 1) {
    await call('localInvitation.send', { invitation, calleeId: 'b', channelId: 'r', content: '' });
    client.invitations[invitation].emit('LocalInvitationRefused', '');
  }
  const cancel = async (invitation) => (await call('localInvitation.cancel', { invitation })).error?.data.errorCode;
  client.invitations[299].throws = sdkError(3);
  assert.equal(await cancel(299), 3);
  assert.equal(await cancel(0), 2);
});
