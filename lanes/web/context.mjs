// What a scenario gets: clients, names nobody else uses, and a network it may break.

import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './client.mjs';
import { startProxy } from './proxy.mjs';
import { Tab } from './shim.mjs';
import { APP_ID, NO_TOKEN, seconds, signalingToken } from './token.mjs';

// Long enough for the SDK's acknowledging poll, one second after a delivery, to bring a message a second time.
const SETTLE = 1_500;

/** The world of one run of one scenario. */
export class Context {
  #vendor;
  #suffix;
  #clients = [];
  #proxies = [];

  /** @param {{vendor: object, via: 'url'|'lookup', port: number, auth: boolean, suffix: string}} options */
  constructor({ vendor, via, port, auth, suffix }) {
    this.#vendor = vendor;
    this.#suffix = suffix;
    this.via = via;
    this.port = port;
    this.auth = auth;
  }

  /** A name of this run alone: scenarios share a server, and a server may outlive many runs. */
  name(base) {
    return `${base}.${this.#suffix}`;
  }

  /** A tab for an account, not logged in yet. `proxy` is where its sockets go instead. */
  client(account, { proxy } = {}) {
    const tab = new Tab(this.#vendor, {
      via: this.via,
      port: this.port,
      connectPort: proxy?.port,
      complain: (text) => client.record('tab', text),
    });
    const signal = tab.Signal(APP_ID);
    if (this.via === 'url') signal.setup_debugging('ap_url', `ws://127.0.0.1:${tab.connectPort}/`);
    const client = new Client({ account, signal, tab });
    this.#clients.push(client);
    return client;
  }

  /** A token with which `account` may log in to this server. */
  token(account) {
    return this.auth ? signalingToken(account, seconds(3600)) : NO_TOKEN;
  }

  /** A client with a name of this run, logged in. */
  async user(base, options) {
    const client = this.client(this.name(base), options);
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

  /** Ends the scenario: whatever arrives beyond what it has read is a failure. */
  async settle() {
    await sleep(SETTLE);
    for (const client of this.#clients) client.nothingElse();
  }

  close() {
    for (const client of this.#clients) client.tab.close();
    for (const proxy of this.#proxies) proxy.close();
  }
}
