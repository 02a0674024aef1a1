// What a scenario gets: sessions of an agent, and agents of its own to break.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { equal, showEvent, Unexpected } from '../web/expect.mjs';
import { Agent } from './agent.mjs';
import { Driver } from './driver.mjs';

/** An unassigned App ID in the form that RTM requires. */
export const APP_ID = '0123456789abcdef0123456789abcdef';
/** Milliseconds for an event; a login takes 12 s to fail. */
const PATIENCE = 20_000;

export class Context {
  #world;
  #suffix;
  #sessions = [];
  #own = [];

  /**
   * @param {object} world
   * @param {object} world.ws the package
   * @param {string} world.sdk where npm has put the SDK
   * @param {string} [world.chromium]
   * @param {{driver: Driver, agent: Agent}} world.shared
   * @param {string} suffix of this run's names
   */
  constructor(world, suffix) {
    this.#world = world;
    this.#suffix = suffix;
    this.shared = world.shared;
  }

  /** A name of this run alone. */
  name(base) {
    return `${base}-${this.#suffix}`;
  }

  /** A session, not logged in, of the agent that all scenarios share, or of another. */
  async session(driver = this.shared.driver, sessionId = this.name(`s${this.#sessions.length}`)) {
    const session = new Session(driver, sessionId);
    this.#sessions.push(session);
    equal(await session.create(), {}, 'createInstance');
    return session;
  }

  /** A driver and an agent of this scenario alone. */
  async own({ secret = randomBytes(16).toString('hex'), wrongSecret = secret } = {}) {
    const { ws, sdk, chromium } = this.#world;
    const driver = await Driver.listen(ws, { secret });
    const agent = new Agent({ bridge: driver.url, secret: wrongSecret, sdk, chromium });
    const pair = { driver, agent };
    this.#own.push(pair);
    return pair;
  }

  /** Checks that no further objects arrive. */
  async settle() {
    await sleep(300);
    for (const session of this.#sessions) session.nothingLeft();
    for (const { driver } of [this.shared, ...this.#own]) equal(driver.complaints, [], 'complaints about the agent');
  }

  close() {
    for (const session of this.#sessions) session.close();
    for (const { driver, agent } of this.#own) {
      driver.close();
      void agent.stop();
    }
  }
}

/** One session: its calls, and its unread events. */
class Session {
  #driver;
  #events = [];
  #listener;

  constructor(driver, sessionId) {
    this.#driver = driver;
    this.sessionId = sessionId;
    this.#listener = (method, { sessionId: of, ...params }) => {
      if (of === sessionId) this.#events.push([method, params]);
    };
    driver.on('event', this.#listener);
  }

  create(more = {}) {
    return this.call('createInstance', { appId: APP_ID, ...more });
  }

  /** Resolves to the result, or to the error's data, or to the code of an error without any. */
  async call(method, params = {}) {
    const { result, error, lost } = await this.#driver.call(method, { sessionId: this.sessionId, ...params });
    if (lost) return 'lost';
    return error ? (error.data ?? error.code) : result;
  }

  /** Expects that a call is answered so. */
  async expect(method, params, expected) {
    equal(await this.call(method, params), expected, `${method} ${JSON.stringify(params).slice(0, 80)}`);
  }

  /** Expects the next event. */
  async next(method, params) {
    for (let waited = 0; waited < PATIENCE && this.#events.length === 0; waited += 20) await sleep(20);
    if (this.#events.length === 0) throw new Unexpected(`never: ${method} ${JSON.stringify(params)}`);
    equal(this.#events.shift(), [method, params], 'the next event');
  }

  nothingLeft() {
    if (this.#events.length > 0) {
      throw new Unexpected(`not expected: ${this.#events.map((event) => showEvent([this.sessionId, ...event])).join(', ')}`);
    }
  }

  close() {
    this.#driver.off('event', this.#listener);
    void this.#driver.call('release', { sessionId: this.sessionId });
  }
}

/** An error as the link carries it; without a name where RTM's documents have none. */
export function refused(operation, errorCode, name) {
  return { operation, errorCode, ...(name && { name }) };
}
