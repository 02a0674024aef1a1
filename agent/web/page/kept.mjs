// Instances whose driver is lost: they stay logged in for a time, so that another driver can adopt them.

/** Milliseconds for which they are kept. */
export const KEPT = 60_000;
/** Messages of peers that are kept for them, all together. */
export const MESSAGES = 10_000;

export class Kept {
  #clock;
  #lost;
  #instances = new Map();
  #messages = 0;

  /**
   * @param {object} clock
   * @param {(events: number) => void} lost counts lost messages
   */
  constructor(clock, lost) {
    this.#clock = clock;
    this.#lost = lost;
  }

  get instances() {
    return [...this.#instances.values()].map(({ instance }) => instance);
  }

  /** How many messages wait. */
  get messages() {
    return this.#messages;
  }

  /**
   * Keeps an instance.
   *
   * @param {object} instance
   * @param {object[]} messages what its driver had not acknowledged
   */
  keep(instance, messages) {
    const { sessionId } = instance;
    if (!instance.isOnline) {
      instance.end();
      this.#lost(messages.length);
      return;
    }
    // Of two drivers before, the older one's.
    this.#end(sessionId);
    const kept = { instance, messages: [] };
    kept.callOff = this.#clock.after(KEPT, () => this.#end(sessionId));
    this.#instances.set(sessionId, kept);
    const take = (params) => {
      if (this.#messages >= MESSAGES) return this.#lost(1);
      kept.messages.push(params);
      this.#messages += 1;
    };
    instance.sink = (name, params) => name === 'MessageFromPeer' && take(params);
    messages.forEach(take);
  }

  /**
   * Gives an instance away, if it is still logged in.
   *
   * @returns {{instance: object, messages: object[]} | undefined}
   */
  take(sessionId, appId) {
    const kept = this.#instances.get(sessionId);
    if (!kept) return undefined;
    if (kept.instance.appId !== appId || !kept.instance.isOnline) {
      this.#end(sessionId);
      return undefined;
    }
    kept.callOff();
    this.#instances.delete(sessionId);
    this.#messages -= kept.messages.length;
    return { instance: kept.instance, messages: kept.messages };
  }

  /** Ends all at once. */
  clear() {
    for (const sessionId of [...this.#instances.keys()]) this.#end(sessionId);
  }

  #end(sessionId) {
    const kept = this.#instances.get(sessionId);
    if (!kept) return;
    kept.callOff();
    this.#instances.delete(sessionId);
    this.#messages -= kept.messages.length;
    this.#lost(kept.messages.length);
    kept.instance.end();
  }
}
