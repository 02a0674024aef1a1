// The bridge's side of the link, by docs/agent-link.md, as far as a scenario needs it.

import { EventEmitter, once } from 'node:events';

const PROTOCOL = 'sigbridge.agent.1';
export const WINDOW = 1024;
const HEARTBEAT = 2000;
/** Milliseconds after which what was processed is acknowledged. */
const DELAY = 100;

/** Emits `event` for each notification, `hello` for each accepted agent, `closed` for each closed socket. */
export class Driver extends EventEmitter {
  /** Violations of the protocol by the agent. */
  complaints = [];
  hellos = [];
  #server;
  #secret;
  #socket;
  #bridge;
  #heartbeat;
  #agent;
  #sent = 0;
  #kept = [];
  #received = 0;
  #acknowledging;
  #pending = new Map();

  /**
   * @param {object} ws the package
   * @param {{secret: string, bridge?: string, heartbeat?: number}} options milliseconds
   */
  static async listen(ws, { secret, bridge = 'bridge-1', heartbeat = HEARTBEAT }) {
    const driver = new Driver();
    // Every session listens.
    driver.setMaxListeners(0);
    driver.#secret = `sigbridge.secret.${Buffer.from(secret).toString('base64url')}`;
    driver.#bridge = bridge;
    driver.#heartbeat = heartbeat;
    driver.#server = new ws.WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      path: '/agent',
      maxPayload: 256 * 1024,
      verifyClient: ({ req, origin }, done) => driver.#admit(req, origin, done),
      handleProtocols: () => PROTOCOL,
    });
    driver.#server.on('connection', (socket) => driver.#connected(socket));
    await once(driver.#server, 'listening');
    return driver;
  }

  get url() {
    return `ws://127.0.0.1:${this.#server.address().port}/agent`;
  }

  /** The handshakes that were refused, by their status. */
  refused = [];

  /** The agent that is connected, or the next one: its hello. */
  async agent() {
    if (this.#socket) return this.hellos.at(-1);
    const [hello] = await once(this, 'hello');
    return hello;
  }

  /** Calls a method. Resolves to {result} or {error}. */
  call(method, params) {
    this.#sent += 1;
    const id = this.#sent;
    const text = JSON.stringify({ jsonrpc: '2.0', id, seq: this.#sent, method, params });
    this.#kept.push({ seq: this.#sent, text });
    this.#socket?.send(text);
    return new Promise((resolve) => this.#pending.set(id, resolve));
  }

  /** Cuts the link without a close frame. */
  cut() {
    this.#socket?.terminate();
  }

  /** Becomes another bridge, without earlier state. */
  become(bridge) {
    this.#bridge = bridge;
    this.#agent = undefined;
    this.cut();
  }

  close() {
    clearTimeout(this.#acknowledging);
    this.cut();
    this.#server.close();
  }

  #admit(request, origin, done) {
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(/, */);
    const status = !/^http:\/\/127\.0\.0\.1:\d+$/.test(origin) ? 403 : offered.includes(this.#secret) ? 0 : 401;
    if (status) this.refused.push(status);
    if (!offered.includes(PROTOCOL)) this.#complain(`the subprotocols are ${offered.length}, without ${PROTOCOL}`);
    done(!status, status);
  }

  #connected(socket) {
    socket.once('message', (data) => this.#greet(socket, JSON.parse(data)));
    socket.on('error', () => {});
    socket.on('close', (code) => {
      if (this.#socket === socket) this.#socket = undefined;
      this.emit('closed', code);
    });
  }

  #greet(socket, { id, method, params }) {
    if (id !== 0 || method !== 'agent.hello') this.#complain(`the first object is ${method} ${id}`);
    const resumed = params.bridge === this.#bridge && params.agent === this.#agent;
    if (!resumed) {
      this.#received = 0;
      this.#sent = 0;
      this.#kept = [];
      for (const answer of this.#pending.values()) answer({ lost: true });
      this.#pending.clear();
    }
    this.#agent = params.agent;
    this.#socket = socket;
    const result = {
      protocol: 1,
      bridge: this.#bridge,
      received: this.#received,
      resumed,
      window: WINDOW,
      heartbeat: this.#heartbeat,
    };
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 0, result }));
    for (const { seq, text } of this.#kept) if (seq > params.received) socket.send(text);
    socket.on('message', (data, isBinary) => this.#receive(socket, data, isBinary));
    this.hellos.push({ ...params, resumed });
    this.emit('hello', this.hellos.at(-1));
  }

  #receive(socket, data, isBinary) {
    const object = JSON.parse(data);
    if (isBinary || object.jsonrpc !== '2.0') this.#complain(`not JSON-RPC in a text: ${data}`);
    if (object.method === 'link.ack') {
      this.#kept = this.#kept.filter(({ seq }) => seq > object.params.seq);
      // Each heartbeat is answered by one.
      socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'link.ack', params: { seq: this.#received } }));
      return;
    }
    if (object.seq <= this.#received) return;
    if (object.seq !== this.#received + 1) this.#complain(`number ${object.seq} follows ${this.#received}`);
    this.#received = object.seq;
    this.#acknowledging ??= setTimeout(() => {
      this.#acknowledging = undefined;
      this.#socket?.send(JSON.stringify({ jsonrpc: '2.0', method: 'link.ack', params: { seq: this.#received } }));
    }, DELAY);
    if (object.method) {
      this.emit('event', object.method, object.params);
    } else {
      const answer = this.#pending.get(object.id);
      if (!answer) this.#complain(`an answer to ${object.id} without a request`);
      this.#pending.delete(object.id);
      answer?.(object);
    }
  }

  #complain(text) {
    this.complaints.push(text);
  }
}
