// The link itself: the handshake, silence, and coming back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage } from './fake-bridge.mjs';

test('the secret and the hello follow the contract', async () => {
  const stage = await new Stage().open();
  // base64url of the UTF-8 of the secret, without padding.
  assert.deepEqual(stage.socket.protocols, ['sigbridge.agent.1', 'sigbridge.secret.c8Opc2FtZQ']);
  assert.equal(stage.socket.url, 'ws://bridge/agent');
  assert.deepEqual(stage.socket.frames[0], {
    jsonrpc: '2.0',
    id: 0,
    method: 'agent.hello',
    params: {
      protocol: 1,
      agent: 'agent-1',
      sdk: 'agora-rtm-sdk',
      version: '1.5.1',
      platform: 'web',
      limits: 'web',
      instances: [],
    },
  });
  assert.equal(stage.host.status.link.state, 'open');
});

test('a bridge that is away is dialled at once, then ever more seldom', async () => {
  const stage = new Stage();
  stage.welcome = undefined;
  stage.host.start();
  const dials = [];
  for (let ms = 0; ms <= 20_000; ms += 100) {
    await stage.clock.advance(ms === 0 ? 0 : 100);
    while (dials.length < stage.sockets.length) {
      dials.push(ms);
      stage.sockets[dials.length - 1].lose();
    }
  }
  assert.deepEqual(dials, [0, 500, 1500, 3500, 8500, 13_500, 18_500]);
  // One line, however often it fails for the same reason.
  assert.equal(stage.log.length, 1);
});

test('a link that was good is dialled again at once, one that was not is not', async () => {
  const stage = await new Stage().open();
  await stage.clock.advance(2000);
  stage.socket.lose();
  await stage.clock.advance(0);
  assert.equal(stage.sockets.length, 2);
  stage.socket.lose();
  await stage.clock.advance(0);
  assert.equal(stage.sockets.length, 2);
  await stage.clock.advance(500);
  assert.equal(stage.sockets.length, 3);
});

/** What the bridge answers to the hello, and what the page makes of it. */
const REFUSALS = [
  [{ id: 0, error: { code: -32002, message: 'another agent is served' } }, 'the bridge refuses: another agent is served (-32002)'],
  [{ id: 0, result: { protocol: 2 } }, 'what the bridge answered to the hello is not understood'],
  [{ id: 0, result: { protocol: 1, bridge: 'b', window: 0, heartbeat: 1 } }, 'what the bridge answered to the hello is not understood'],
  [{ seq: 1, id: 1, method: 'logout' }, 'what the bridge answered to the hello is not understood'],
];

for (const [answer, error] of REFUSALS) {
  test(`${JSON.stringify(answer)} ends the link`, async () => {
    const stage = new Stage();
    stage.welcome = undefined;
    await stage.open();
    stage.socket.deliver(answer);
    assert.equal(stage.host.status.link.error, error);
    assert.equal(stage.sockets[0].closed, 4001);
    await stage.clock.advance(500);
    assert.equal(stage.sockets.length, 2);
  });
}

test('a hello that is not answered ends the link', async () => {
  const stage = new Stage();
  stage.welcome = undefined;
  await stage.open();
  await stage.clock.advance(5000);
  assert.equal(stage.sockets[0].closed, 4000);
});

/** Invalid objects of the bridge, and the reaction of the page. */
const MISBEHAVED = [
  [{ data: 'x' }, 'the bridge sent no JSON'],
  [{ data: '[]' }, 'the bridge sent no object'],
  [{ data: new ArrayBuffer(1) }, 'the bridge sent no text'],
  [{ data: '{"id":1,"seq":2,"method":"logout","params":{}}' }, 'number 2 came too early'],
  [{ data: '{"id":1,"method":"logout","params":{}}' }, 'number undefined came too early'],
  [{ data: '{"method":"link.ack","params":{"seq":1}}' }, 'the bridge acknowledges what was never sent'],
  [{ data: '{"method":"link.ack"}' }, 'the bridge acknowledges what was never sent'],
];

for (const [message, error] of MISBEHAVED) {
  test(`the page disconnects a bridge that sends ${message.data}`, async () => {
    const stage = await new Stage().open();
    stage.socket.onmessage(message);
    assert.equal(stage.host.status.link.error, error);
    assert.equal(stage.sockets[0].closed, 4001);
  });
}

test('an acknowledgement goes out with each heartbeat', async () => {
  const stage = await new Stage({ welcome: { heartbeat: 1000 } }).open();
  for (let beat = 0; beat < 4; beat += 1) {
    await stage.clock.advance(1000);
    stage.socket.acknowledge(0);
  }
  const acks = stage.socket.frames.filter(({ method }) => method === 'link.ack');
  assert.deepEqual(acks.map(({ params }) => params.seq), [0, 0, 0, 0]);
  assert.equal(stage.sockets.length, 1);
});

test('a bridge that is silent for three heartbeats is left', async () => {
  const stage = await new Stage({ welcome: { heartbeat: 1000 } }).open();
  await stage.clock.advance(2900);
  assert.equal(stage.sockets.length, 1);
  await stage.clock.advance(200);
  assert.equal(stage.sockets[0].closed, 4000);
  assert.equal(stage.sockets.length, 2);
});

test('calls are acknowledged after 200 ms, or after 32', async () => {
  const stage = await new Stage().open();
  await stage.session('1');
  assert.equal(stage.socket.acknowledged, 0);
  await stage.clock.advance(200);
  assert.equal(stage.socket.acknowledged, 2);
  for (let i = 0; i < 32; i += 1) await stage.socket.call('logout', { sessionId: '1' });
  assert.equal(stage.socket.acknowledged, 34);
});

test('a page that is stopped closes its link and does not come back', async () => {
  const stage = await new Stage().open();
  stage.host.stop();
  await stage.clock.advance(100_000);
  assert.equal(stage.sockets[0].closed, 1000);
  assert.equal(stage.sockets.length, 1);
});
