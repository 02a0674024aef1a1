// Context of a scenario: clients, unique names, and a network that it may cut.

import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './client.mjs';
import { startProxy } from './proxy.mjs';
import { NO_TOKEN, seconds, signalingToken } from './token.mjs';

// Long enough for the SDK's acknowledging poll, one second after a delivery, to bring a message a second time.
const SETTLE = 1_500;
// Nothing takes this long, unless it never comes.
const PATIENCE = 5_000;

/** The world of one run of one scenario. */
export class Context {
  #openTab;
  #suffix;
  #patience;
  #clients = [];
  #proxies = [];

  /**
   * @param {object} options
   * @param {boolean} options.looksUp true if clients request /getaddr and race two sockets
   * @param {number} options.port the bridge's
   * @param {boolean} options.auth whether it wants tokens
   * @param {string} options.suffix of this run's names
   * @param {number} [options.patience] milliseconds that an event may take
   * @param {(record: Function, options: object) => object} options.openTab opens a tab whose events go to `record`
   */
  constructor({ looksUp, port, auth, suffix, openTab, patience = PATIENCE }) {
    this.#openTab = openTab;
    this.#suffix = suffix;
    this.#patience = patience;
    this.looksUp = looksUp;
    this.port = port;
    this.auth = auth;
  }

  /** A name of this run alone: scenarios share a server, and a server may outlive many runs. */
  name(base) {
    return `${base}.${this.#suffix}`;
  }

  /** A tab for an account, not logged in yet. Of its options, `proxy` is where its sockets go instead. */
  async client(account, options = {}) {
    const client = new Client(account, this.#patience);
    client.tab = await this.#openTab((...event) => client.record(...event), options);
    this.#clients.push(client);
    return client;
  }

  /** A token with which `account` may log in to this server. */
  token(account) {
    return this.auth ? signalingToken(account, seconds(3600)) : NO_TOKEN;
  }

  /** A client with a name of this run, logged in. */
  async user(base, options) {
    const client = await this.client(this.name(base), options);
    client.login(this.token(client.account));
    await client.loggedIn();
    return client;
  }

  async proxy() {
    const proxy = await startProxy(this.port);
    this.#proxies.push(proxy);
    return proxy;
  }

  sleep(milliseconds) {
    return sleep(milliseconds);
  }

  /** Ends the scenario: an unread event is a failure. */
  async settle() {
    await sleep(SETTLE);
    for (const client of this.#clients) client.nothingElse();
  }

  close() {
    for (const client of this.#clients) client.tab.close();
    for (const proxy of this.#proxies) proxy.close();
  }
}
