// The other end of the link, without a network: the test says what the bridge says, and sees what it hears.

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
    await this.socket.ask('createInstance', { sessionId, appId: APP, ...more });
    await this.socket.ask('login', { sessionId, uid });
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
  heard = [];
  closed;
  acknowledged = 0;
  /** How many objects the bridge has heard in order, and whether it says so. */
  received = 0;
  acknowledges = true;
  #stage;
  #seq = 0;
  #id = 0;
  #asked = new Map();

  constructor(stage, url, protocols) {
    Object.assign(this, { url, protocols });
    this.#stage = stage;
  }

  send(text) {
    const object = JSON.parse(text);
    this.heard.push(object);
    if (object.method === 'agent.hello') {
      if (this.#stage.welcome) queueMicrotask(() => this.say({ id: 0, result: { ...this.#stage.welcome } }));
    } else if (object.method === 'link.ack') {
      this.acknowledged = object.params.seq;
    } else {
      this.received = object.seq;
      this.#asked.get(object.id)?.(object);
      if (this.acknowledges) queueMicrotask(() => this.acknowledge(object.seq));
    }
  }

  close(code) {
    this.closed = code;
  }

  /** The bridge says something. */
  say(object) {
    this.onmessage?.({ data: JSON.stringify({ jsonrpc: '2.0', ...object }) });
  }

  /** The bridge asks; resolves to the answer. */
  ask(method, params) {
    this.#id += 1;
    const id = this.#id;
    const answer = new Promise((resolve) => {
      this.#asked.set(id, resolve);
    });
    this.request(id, method, params);
    return answer;
  }

  /** The same, without waiting; `seq` is the next one. */
  request(id, method, params, seq = (this.#seq += 1)) {
    this.#seq = seq;
    this.say({ id, seq, method, params });
  }

  acknowledge(seq) {
    this.say({ method: 'link.ack', params: { seq } });
  }

  /** The link is lost. */
  lose() {
    this.onclose?.({ code: 1006, reason: '' });
  }

  /** What was heard but acknowledgements and the hello. */
  get objects() {
    return this.heard.filter(({ seq }) => seq !== undefined);
  }

  /** The notifications, as [method, params]. */
  get events() {
    return this.objects.filter(({ method }) => method).map(({ method, params }) => [method, params]);
  }

  get hello() {
    return this.heard.find(({ method }) => method === 'agent.hello')?.params;
  }
}

export { settled };
