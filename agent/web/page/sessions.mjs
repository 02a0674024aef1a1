// The user sessions of the driver that is served, and how they are begun, taken over and ended.

import { LinkError } from './errors.mjs';
import { Instance } from './instance.mjs';
import { Kept } from './kept.mjs';

const INVALID = -32602;
const NO_SESSION = -32003;

export class Sessions {
  #options;
  #instances = new Map();
  #kept;

  /**
   * @param {object} options
   * @param {object} options.clock
   * @param {(appId: string) => object} options.create makes a client of the SDK
   * @param {(name: string, params: object) => void} options.emit an event for the driver
   * @param {(events: number) => void} options.lost counts lost events
   */
  constructor(options) {
    this.#options = options;
    this.#kept = new Kept(options.clock, options.lost);
  }

  /** For the hello: sessions with a login or an attempt. A session of the current driver hides a kept one of the same name. */
  get list() {
    const all = [...this.#kept.instances, ...this.#instances.values()].filter(({ userId }) => userId !== undefined);
    const byId = new Map(all.map(({ sessionId, appId, userId }) => [sessionId, { sessionId, appId, userId }]));
    return [...byId.values()];
  }

  get counts() {
    return {
      instances: this.#instances.size,
      online: [...this.#instances.values()].filter((instance) => instance.isOnline).length,
      kept: this.#kept.instances.length,
      keptMessages: this.#kept.messages,
    };
  }

  get(sessionId) {
    const instance = this.#instances.get(sessionId);
    if (!instance) throw new LinkError(NO_SESSION, 'unknown sessionId');
    return instance;
  }

  create({ sessionId, appId, adopt }) {
    if (this.#instances.has(sessionId)) throw new LinkError(INVALID, 'duplicate sessionId');
    const sink = (name, params) => this.#options.emit(name, { sessionId, ...params });
    const kept = adopt === undefined ? undefined : this.#kept.take(adopt, appId);
    if (kept) {
      kept.instance.adopt(sessionId, kept.messages);
      kept.instance.sink = sink;
      this.#instances.set(sessionId, kept.instance);
      return;
    }
    const { lost } = this.#options;
    const create = () => this.#created(appId);
    this.#instances.set(sessionId, new Instance({ sessionId, appId, create, sink, lost }));
  }

  release(sessionId) {
    this.get(sessionId).end();
    this.#instances.delete(sessionId);
  }

  /**
   * Keeps all, for another driver.
   *
   * @param {object[]} messages parameters of MessageFromPeer that the last driver has not acknowledged
   */
  keep(messages) {
    const bySession = groupBySession(messages);
    for (const [sessionId, instance] of this.#instances) {
      const own = (bySession.get(sessionId) ?? []).map(({ sessionId: _, ...params }) => params);
      bySession.delete(sessionId);
      this.#kept.keep(instance, own);
    }
    for (const left of bySession.values()) this.#options.lost(left.length);
    this.#instances.clear();
  }

  /** Ends all, those that are kept as well. */
  clear() {
    for (const instance of this.#instances.values()) instance.end();
    this.#instances.clear();
    this.#kept.clear();
  }

  #created(appId) {
    try {
      return this.#options.create(appId);
    } catch (error) {
      error.operation = 'CREATE';
      throw error;
    }
  }
}

// Map.groupBy is not in Node 20, in which the tests run.
function groupBySession(messages) {
  const groups = new Map();
  for (const message of messages) {
    if (!groups.has(message.sessionId)) groups.set(message.sessionId, []);
    groups.get(message.sessionId).push(message);
  }
  return groups;
}
