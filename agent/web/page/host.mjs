// The host side of the link: requests of the driver become calls of the SDK, events of the SDK notifications.

import { CALLS } from './calls.mjs';
import { LinkError, toAnswer } from './errors.mjs';
import { Inbox } from './inbox.mjs';
import { KEPT } from './kept.mjs';
import { Link } from './link.mjs';
import { Outbox } from './outbox.mjs';
import { Sessions } from './sessions.mjs';
import { readParams } from './values.mjs';

const NO_CALL = -32601;
const INVALID = -32602;
const PROTOCOL = 1;
/** Characters of a hello for instances: no frame may be larger than 256 KiB. Those beyond are not offered to another driver. */
const INSTANCES = 240 * 1024;

/** The calls of the link itself. */
const OWN = {
  createInstance: {
    of: 'CREATE',
    params: { sessionId: 'text', appId: 'text', adopt: 'text?' },
    run: (sessions, params) => sessions.create(params),
  },
  release: {
    of: 'LOGOUT',
    params: { sessionId: 'text' },
    run: (sessions, { sessionId }) => sessions.release(sessionId),
  },
};

export class Host {
  #sdk;
  #clock;
  #log;
  #random;
  #agent;
  #bridge;
  #window = 1;
  /** Number of the driver: an answer is for the driver that called. */
  #driver = 0;
  #outbox = new Outbox();
  #inbox;
  #sessions;
  #link;
  #forgetting;

  /**
   * @param {object} options
   * @param {object} options.sdk the vendor's, as its documents describe it
   * @param {object} options.clock
   * @param {string} options.url the bridge's
   * @param {string} options.secret
   * @param {Function} options.dial makes a WebSocket
   * @param {() => string} options.random creates a unique name
   * @param {string[]} [options.areas] where RTM's servers may be; anywhere without it
   * @param {boolean} [options.cloudProxy] whether to reach them by the vendor's proxy
   * @param {boolean} [options.sdkLog] whether the SDK may write its warnings to the console: they may name users
   * @param {(text: string) => void} options.log
   */
  constructor({ sdk, clock, url, secret, dial, random, areas, cloudProxy = false, sdkLog = false, log }) {
    this.#sdk = sdk;
    this.#clock = clock;
    this.#log = log;
    this.#random = random;
    this.#agent = random();
    const logFilter = sdkLog ? sdk.LOG_FILTER_WARNING : sdk.LOG_FILTER_OFF;
    const config = { enableLogUpload: false, logFilter, enableCloudProxy: cloudProxy };
    this.#sessions = new Sessions({
      clock,
      create: (appId) => (areas ? sdk.createInstance(appId, config, areas) : sdk.createInstance(appId, config)),
      emit: (name, params) => {
        this.#outbox.pushEvent(name, params);
        this.#pump();
      },
      lost: (events) => this.#outbox.lose(events),
    });
    this.#inbox = new Inbox(clock, (seq) =>
      this.#link.send(JSON.stringify({ jsonrpc: '2.0', method: 'link.ack', params: { seq } })),
    );
    this.#link = new Link({
      url,
      secret,
      clock,
      dial,
      log,
      hello: () => this.#hello(),
      opened: (result) => this.#opened(result),
      received: (object) => this.#received(object),
      beat: () => {
        this.#inbox.acknowledge();
        this.#pump();
      },
      lost: () => this.#linkLost(),
    });
  }

  start() {
    this.#link.start();
  }

  stop() {
    this.#forgetting?.();
    this.#link.stop();
  }

  /** For people. Names no user. */
  get status() {
    return {
      agent: this.#agent,
      bridge: this.#bridge,
      version: this.#sdk.VERSION,
      link: { ...this.#link.status },
      ...this.#sessions.counts,
      unacknowledged: this.#outbox.size,
    };
  }

  #hello() {
    return {
      protocol: PROTOCOL,
      agent: this.#agent,
      sdk: 'agora-rtm-sdk',
      version: this.#sdk.VERSION,
      platform: 'web',
      limits: 'web',
      ...(this.#bridge && { bridge: this.#bridge, received: this.#inbox.processed }),
      instances: this.#listed(),
    };
  }

  #listed() {
    let room = INSTANCES;
    return this.#sessions.list.filter((instance) => (room -= JSON.stringify(instance).length + 1) >= 0);
  }

  #opened({ bridge, received, resumed, window }) {
    this.#window = this.#outbox.window = window;
    if (resumed) {
      this.#inbox.rewind();
      if (bridge !== this.#bridge || !this.#outbox.rewind(received)) throw new Error('the bridge resumes what never was');
    } else {
      this.#newDriver(bridge);
    }
    this.#forgetting?.();
    this.#forgetting = undefined;
    this.#pump();
  }

  #newDriver(bridge) {
    this.#bridge = bridge;
    this.#driver += 1;
    this.#inbox.restart();
    const left = this.#outbox.restart();
    const messages = left.filter(({ method }) => method === 'MessageFromPeer').map(({ params }) => params);
    // The new driver has processed no number of the previous one.
    const dropped = left.filter(({ method }) => method === 'agent.dropped');
    for (const { params } of dropped) this.#outbox.lose(params.events);
    this.#sessions.keep(messages);
  }

  /** Logs users out whose driver has not reconnected in time. */
  #linkLost() {
    if (!this.#bridge) return;
    this.#forgetting ??= this.#clock.after(KEPT, () => {
      this.#log(`no bridge for ${KEPT / 1000} s: all instances are logged out`);
      this.#bridge = undefined;
      this.#driver += 1;
      this.#agent = this.#random();
      this.#inbox.restart();
      const events = this.#outbox.restart().filter(({ id }) => id === undefined);
      for (const { method, params } of events) this.#outbox.lose(method === 'agent.dropped' ? params.events : 1);
      this.#sessions.clear();
    });
  }

  #received(object) {
    if (object.method === 'link.ack') {
      if (!this.#outbox.acknowledge(object.params?.seq)) throw new Error('the bridge acknowledges what was never sent');
    } else {
      const taken = this.#inbox.take(object);
      if (taken === 'gap') throw new Error(`number ${object.seq} came too early`);
      if (this.#inbox.waiting > this.#window) throw new Error('the bridge does not keep to its window');
    }
    this.#pump();
  }

  /** Starts received calls within the window, and sends queued objects. */
  #pump() {
    while (!this.#outbox.isFull) {
      const object = this.#inbox.next();
      if (!object) break;
      if (object.method !== undefined && object.id !== undefined) this.#serve(object);
    }
    if (!this.#link.isOpen) return;
    for (const text of this.#outbox.take()) this.#link.send(text);
  }

  async #serve({ id, method, params }) {
    const driver = this.#driver;
    const { answer, instance } = await this.#call(method, params ?? {});
    if (driver !== this.#driver) return;
    this.#outbox.pushReply(id, answer);
    instance?.answered();
    this.#pump();
  }

  /** Never throws. */
  async #call(method, params) {
    const own = Object.hasOwn(OWN, method) ? OWN[method] : undefined;
    const call = own ?? (Object.hasOwn(CALLS, method) ? CALLS[method] : undefined);
    if (!call) return { answer: toAnswer(new LinkError(NO_CALL, `the SDK has no ${method}`)) };
    let instance;
    try {
      if (typeof params !== 'object' || Array.isArray(params)) throw new LinkError(INVALID, 'params is no object');
      const { sessionId } = params;
      if (!own && typeof sessionId !== 'string') throw new LinkError(INVALID, 'sessionId is not of its type, text');
      const read = readParams(call.params, params);
      if (!own) instance = this.#sessions.get(sessionId);
      const result = await call.run(own ? this.#sessions : instance, read);
      return { answer: { result: call.hasResult ? result : {} }, instance };
    } catch (error) {
      return { answer: toAnswer(error, call.of), instance };
    }
  }
}
