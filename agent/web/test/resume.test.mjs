// What is lost, and when: the same driver, another driver, none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MESSAGES } from '../page/kept.mjs';
import { LIMIT } from '../page/outbox.mjs';
import { APP, Stage } from './fake-bridge.mjs';

const texts = (socket) => socket.events.filter(([name]) => name === 'MessageFromPeer').map(([, { message }]) => message.text);
const counted = (socket) => socket.events.filter(([name]) => name === 'agent.dropped').map(([, { events }]) => events);

/** The link is lost; the next one begins with that welcome. */
async function comeBack(stage, welcome) {
  Object.assign(stage.welcome, welcome);
  stage.socket.lose();
  await stage.clock.advance(500);
}

test('a lost link loses nothing and doubles nothing', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1', 'alice');
  await stage.clock.advance(200);
  const first = stage.socket;
  client.text('b', 'received');
  await stage.clock.advance(0);
  const { received } = first;
  first.acknowledges = false;
  // The bridge does not get these, and the page cannot detect that.
  client.text('b', 'on its way');
  first.lose();
  client.text('b', 'meanwhile');
  stage.welcome = { ...stage.welcome, resumed: true, received };
  await stage.clock.advance(500);
  const { hello } = stage.socket;
  assert.deepEqual(
    [hello.agent, hello.bridge, hello.received, hello.instances],
    ['agent-1', 'bridge-1', 2, [{ sessionId: '1', appId: APP, userId: 'alice' }]],
  );
  assert.deepEqual(texts(stage.socket), ['on its way', 'meanwhile']);
  assert.deepEqual(stage.socket.objects.map(({ seq }) => seq), [received + 1, received + 2]);
});

test('what the driver sends again is not done again', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1');
  stage.socket.request(3, 'clearLocalUserAttributes', { sessionId: '1' });
  await comeBack(stage, { resumed: true, received: 3 });
  assert.equal(stage.socket.hello.received, 3);
  stage.socket.request(3, 'clearLocalUserAttributes', { sessionId: '1' }, 3);
  stage.socket.request(4, 'getUserAttributes', { sessionId: '1', userId: 'b' }, 4);
  await stage.clock.advance(0);
  assert.deepEqual(client.calls.map(([method]) => method), ['login', 'clearLocalUserAttributes', 'getUserAttributes']);
  assert.deepEqual(stage.socket.objects.map(({ id }) => id), [3, 4]);
});

test('an answer that was on its way when the link was lost comes by the next one', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1');
  let answer;
  client.renewToken = () => new Promise((resolve) => (answer = resolve));
  stage.socket.request(3, 'renewToken', { sessionId: '1', token: 't' });
  await comeBack(stage, { resumed: true, received: 3 });
  answer();
  await stage.clock.advance(0);
  assert.deepEqual(stage.socket.objects, [{ jsonrpc: '2.0', id: 3, result: {}, seq: 4 }]);
});

test('objects beyond the window wait', async () => {
  const stage = await new Stage({ welcome: { window: 4 } }).open();
  const client = await stage.session('1');
  await stage.clock.advance(0);
  const { socket } = stage;
  socket.acknowledges = false;
  const before = socket.objects.length;
  for (let i = 0; i < 10; i += 1) client.text('b', String(i));
  assert.equal(socket.objects.length - before, 4);
  // Nothing new is begun either, and so it is not acknowledged.
  socket.request(9, 'clearLocalUserAttributes', { sessionId: '1' });
  await stage.clock.advance(1000);
  assert.equal(client.calls.length, 1);
  assert.equal(socket.acknowledged, 2);
  socket.acknowledges = true;
  socket.acknowledge(before + 4);
  await stage.clock.advance(0);
  assert.deepEqual(texts(socket), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  assert.deepEqual(client.calls.map(([method]) => method), ['login', 'clearLocalUserAttributes']);
});

test('a driver that does not keep to the window is left', async () => {
  const stage = await new Stage({ welcome: { window: 4 } }).open();
  const client = await stage.session('1');
  await stage.clock.advance(0);
  stage.socket.acknowledges = false;
  for (let i = 0; i < 4; i += 1) client.text('b', String(i));
  for (let i = 0; i < 5; i += 1) stage.socket.request(10 + i, 'logout', { sessionId: '1' });
  assert.equal(stage.host.status.link.error, 'the bridge does not keep to its window');
});

test('events that find no room are counted, answers always find some', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1');
  await stage.clock.advance(0);
  const { received } = stage.socket;
  stage.socket.lose();
  for (let i = 0; i < LIMIT + 5; i += 1) client.text('b', 'x');
  stage.welcome = { ...stage.welcome, resumed: true, received };
  await stage.clock.advance(500);
  await stage.clock.advance(0);
  assert.equal(texts(stage.socket).length, LIMIT);
  assert.deepEqual(counted(stage.socket), [5]);
  assert.deepEqual(stage.socket.objects.map(({ seq }) => seq), Array.from({ length: LIMIT + 1 }, (_, i) => received + 1 + i));
});

test('a hello is no larger than a frame may be', async () => {
  const stage = await new Stage().open();
  for (let i = 0; i < 3000; i += 1) await stage.session(String(i), 'u'.repeat(64));
  await comeBack(stage, { bridge: 'bridge-2' });
  const { length } = JSON.stringify(stage.socket.frames[0]);
  assert.ok(length > 200 * 1024 && length < 256 * 1024, String(length));
});

test('a bridge that resumes what never was is left', async () => {
  const stage = await new Stage().open();
  await comeBack(stage, { resumed: true, received: 99 });
  assert.equal(stage.host.status.link.error, 'the bridge resumes what never was');
});

test('another driver takes a session over: no new login, and the messages follow the answer', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1', 'alice');
  await stage.socket.call('channel.join', { sessionId: '1', channelId: 'r' });
  await stage.clock.advance(0);
  stage.socket.acknowledges = false;
  client.text('b', 'not acknowledged');
  client.channels[0].emit('MemberJoined', 'c');
  await comeBack(stage, { bridge: 'bridge-2', resumed: false });
  client.text('b', 'without a driver');
  client.channels[0].emit('MemberJoined', 'd');
  const { socket } = stage;
  assert.equal((await socket.call('logout', { sessionId: '1' })).error.code, -32003);
  await socket.call('createInstance', { sessionId: '9', appId: APP, adopt: '1' });
  assert.deepEqual(client.channels[0].calls, [['join'], ['leave']]);
  client.text('b', 'before the login');
  const { seq, result } = await socket.call('login', { sessionId: '9', uid: 'alice', token: 't2' });
  client.text('b', 'after it');
  assert.deepEqual(result, {});
  assert.deepEqual(texts(socket), ['not acknowledged', 'without a driver', 'before the login', 'after it']);
  assert.equal(socket.objects.find(({ method }) => method).seq, seq + 1);
  assert.equal(socket.events[0][1].sessionId, '9');
  assert.deepEqual(client.calls.map(([method]) => method), ['login', 'renewToken']);
  assert.equal(stage.sdk.clients.length, 1);
  assert.equal(socket.objects[0].seq, 1);
});

test('a session that is reconnecting reports it after its adoption', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1', 'alice');
  await comeBack(stage, { bridge: 'bridge-2' });
  client.connect('RECONNECTING', 'INTERRUPTED');
  await stage.session('9', 'alice', { adopt: '1' });
  assert.deepEqual(stage.socket.events, [
    ['ConnectionStateChanged', { sessionId: '9', state: 'RECONNECTING', reason: 'INTERRUPTED' }],
  ]);
});

/** What becomes of a session that is taken over by: user, app, a state that it comes into before. */
const NOT_THE_SAME = [
  ['bob', APP, undefined],
  ['alice', 'b'.repeat(32), undefined],
  ['alice', APP, ['ABORTED', 'REMOTE_LOGIN']],
];

for (const [user, app, state] of NOT_THE_SAME) {
  test(`${user} of ${app[0]}… ${state ?? 'online'} logs in anew`, async () => {
    const stage = await new Stage().open();
    const client = await stage.session('1', 'alice');
    await comeBack(stage, { bridge: 'bridge-2' });
    client.text('b', 'for alice');
    if (state) client.connect(...state);
    await stage.session('9', user, { adopt: '1', appId: app });
    assert.equal(client.calls.at(-1)[0], 'logout');
    assert.equal(stage.sdk.clients.length, 2);
    assert.deepEqual(stage.sdk.clients[1].calls, [['login', { uid: user, token: undefined }]]);
    assert.deepEqual(texts(stage.socket), []);
    // The next event reports it.
    stage.sdk.clients[1].text('b', 'new');
    assert.deepEqual(counted(stage.socket), [1]);
  });
}

test('a session that is not adopted is logged out after 60 s, and its messages are counted', async () => {
  const stage = await new Stage({ welcome: { heartbeat: 100_000 } }).open();
  const client = await stage.session('1', 'alice');
  await comeBack(stage, { bridge: 'bridge-2' });
  client.text('b', 'unread');
  assert.deepEqual(stage.host.status.kept, 1);
  await stage.clock.advance(59_000);
  assert.equal(client.calls.length, 1);
  await stage.clock.advance(1000);
  assert.deepEqual(client.calls.at(-1), ['logout']);
  assert.equal(stage.host.status.kept, 0);
  await stage.socket.call('logout', { sessionId: '1' });
  assert.deepEqual(counted(stage.socket), [1]);
});

test('only so many messages are kept', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1', 'alice');
  await comeBack(stage, { bridge: 'bridge-2' });
  for (let i = 0; i < MESSAGES + 3; i += 1) client.text('b', String(i));
  await stage.session('9', 'alice', { adopt: '1' });
  await stage.clock.advance(0);
  await stage.clock.advance(0);
  assert.equal(texts(stage.socket).length, MESSAGES);
  assert.deepEqual(counted(stage.socket), [3]);
});

test('an answer for a lost driver is not given to the next one', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1', 'alice');
  let answer;
  client.renewToken = () => new Promise((resolve) => (answer = resolve));
  stage.socket.request(3, 'renewToken', { sessionId: '1', token: 't' });
  await comeBack(stage, { bridge: 'bridge-2' });
  answer();
  await stage.clock.advance(0);
  assert.deepEqual(stage.socket.objects, []);
});

test('a session whose login was under way is ended with its driver', async () => {
  const stage = await new Stage().open();
  await stage.socket.call('createInstance', { sessionId: '1', appId: APP });
  stage.sdk.clients[0].login = () => new Promise(() => {});
  stage.socket.request(2, 'login', { sessionId: '1', uid: 'alice' });
  await comeBack(stage, { bridge: 'bridge-2' });
  assert.deepEqual(stage.sdk.clients[0].calls, [['logout']]);
  assert.equal(stage.host.status.kept, 0);
});

test('without a bridge for 60 s all are logged out, and the agent is another one', async () => {
  const stage = await new Stage().open();
  const client = await stage.session('1', 'alice');
  await stage.clock.advance(0);
  const { welcome } = stage;
  stage.welcome = undefined;
  stage.socket.lose();
  client.text('b', 'unread');
  await stage.clock.advance(59_900);
  assert.equal(client.calls.length, 1);
  stage.welcome = welcome;
  await stage.clock.advance(15_000);
  assert.deepEqual(client.calls.at(-1), ['logout']);
  const { hello } = stage.socket;
  assert.deepEqual([hello.agent, hello.bridge, hello.instances], ['agent-2', undefined, []]);
  assert.deepEqual(counted(stage.socket), [1]);
});
