// The other end of the link, without a network: the test sends as the bridge, and reads its frames.

import { Host } from '../page/host.mjs';
import { FakeClock, settled } from './fake-clock.mjs';
import { FakeSdk } from './fake-sdk.mjs';

export const APP = 'a'.repeat(32);
const WINDOW = 1024;
const HEARTBEAT = 10_000;

/** An agent and its bridge, before the first dial. */
export class Stage {
  clock = new FakeClock();
  sdk = new FakeSdk();
  sockets = [];
  log = [];
  /** What the bridge answers a hello with, unless the test answers by itself. */
  welcome = { protocol: 1, bridge: 'bridge-1', received: 0, resumed: false, window: WINDOW, heartbeat: HEARTBEAT };
  #names = 0;

  constructor({ welcome, ...options } = {}) {
    Object.assign(this.welcome, welcome);
    this.host = new Host({
      url: 'ws://bridge/agent',
      secret: 'sésame',
      ...options,
      sdk: this.sdk,
      clock: this.clock,
      dial: (url, protocols) => this.#dialled(url, protocols),
      random: () => `agent-${(this.#names += 1)}`,
      log: (text) => this.log.push(text),
    });
  }

  /** The socket that was dialled last. */
  get socket() {
    return this.sockets.at(-1);
  }

  /** Starts the agent and lets it connect. */
  async open() {
    this.host.start();
    await this.clock.advance(0);
    return this;
  }

  /** Opens a session, logged in. Returns its client. */
  async session(sessionId, uid = sessionId, more = {}) {
    await this.socket.call('createInstance', { sessionId, appId: APP, ...more });
    await this.socket.call('login', { sessionId, uid });
    return this.sdk.clients.at(-1);
  }

  #dialled(url, protocols) {
    const socket = new FakeSocket(this, url, protocols);
    this.sockets.push(socket);
    queueMicrotask(() => socket.onopen?.());
    return socket;
  }
}

/** A WebSocket as the page sees it, and as the bridge does. */
class FakeSocket {
  frames = [];
  closed;
  acknowledged = 0;
  /** Number of objects that the bridge has received in order; true if it acknowledges them. */
  received = 0;
  acknowledges = true;
  #stage;
  #seq = 0;
  #id = 0;
  #calls = new Map();

  constructor(stage, url, protocols) {
    Object.assign(this, { url, protocols });
    this.#stage = stage;
  }

  send(text) {
    const object = JSON.parse(text);
    this.frames.push(object);
    if (object.method === 'agent.hello') {
      if (this.#stage.welcome) queueMicrotask(() => this.deliver({ id: 0, result: { ...this.#stage.welcome } }));
    } else if (object.method === 'link.ack') {
      this.acknowledged = object.params.seq;
    } else {
      this.received = object.seq;
      this.#calls.get(object.id)?.(object);
      if (this.acknowledges) queueMicrotask(() => this.acknowledge(object.seq));
    }
  }

  close(code) {
    this.closed = code;
  }

  /** The bridge sends an object. */
  deliver(object) {
    this.onmessage?.({ data: JSON.stringify({ jsonrpc: '2.0', ...object }) });
  }

  /** The bridge calls; resolves to the answer. */
  call(method, params) {
    this.#id += 1;
    const id = this.#id;
    const answer = new Promise((resolve) => {
      this.#calls.set(id, resolve);
    });
    this.request(id, method, params);
    return answer;
  }

  /** The same, without waiting; `seq` is the next one. */
  request(id, method, params, seq = (this.#seq += 1)) {
    this.#seq = seq;
    this.deliver({ id, seq, method, params });
  }

  acknowledge(seq) {
    this.deliver({ method: 'link.ack', params: { seq } });
  }

  /** The link is lost. */
  lose() {
    this.onclose?.({ code: 1006, reason: '' });
  }

  /** Received objects without acknowledgements and the hello. */
  get objects() {
    return this.frames.filter(({ seq }) => seq !== undefined);
  }

  /** The notifications, as [method, params]. */
  get events() {
    return this.objects.filter(({ method }) => method).map(({ method, params }) => [method, params]);
  }

  get hello() {
    return this.frames.find(({ method }) => method === 'agent.hello')?.params;
  }
}

export { settled };
