// A browser tab, as small as the SDK allows: the vendor's file, untouched, in a `vm` context of its own.
//
// One tab per client: the SDK keeps timers and sockets for ever (it pings, polls and reconnects), and a tab can be
// closed, which takes all of them away.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { Agent } from './agent.mjs';
import { pinnedRequire } from './packages.mjs';
import { guardHandlers, socketFor } from './socket.mjs';
import { APP_ID } from './token.mjs';
import { xhrFor } from './xhr.mjs';

/** Reads the SDK and `ws` from `directory`, where `npm ci` has been run, and refuses all but the pinned packages. */
export function loadVendor(directory) {
  const require = pinnedRequire(directory, new URL('package-lock.json', import.meta.url));
  const file = require.resolve('agora-signaling-sdk');
  return {
    script: new vm.Script(readFileSync(file, 'utf8'), { filename: path.basename(file) }),
    WebSocket: require('ws').WebSocket,
  };
}

/** One page with the SDK loaded, and its agent. */
export class Tab {
  lookups = [];
  sockets = new Set();
  #agent;
  #record;
  #timers = new Set();

  /**
   * @param {{script: vm.Script, WebSocket: Function}} vendor
   * @param {{way: 'url'|'lookup'|'path', port: number, connectPort?: number, record: Function}} options
   *   `port` is where the bridge listens, `connectPort` where sockets go (a proxy, when the scenario has one); `record`
   *   gets every event
   */
  constructor(vendor, options) {
    this.way = options.way;
    this.port = options.port;
    this.connectPort = options.connectPort ?? options.port;
    this.#record = options.record;

    const WebSocket = guardHandlers(socketFor(vendor.WebSocket, this), this);
    const page = {
      ...this.#clocks(),
      // The SDK prints whole frames, the token among them.
      console: { log() {}, info() {}, warn() {}, error() {}, debug() {} },
      navigator: { userAgent: 'sigbridge vendor lane', appName: 'Netscape', appVersion: '5.0', platform: '' },
      location: { protocol: 'https:', host: 'app.example', hostname: 'app.example', href: 'https://app.example/' },
      WebSocket,
      XMLHttpRequest: xhrFor(this),
    };
    page.window = page;
    page.self = page;
    this.page = vm.createContext(page);
    vendor.script.runInContext(this.page);
    // Values of the tab have the prototypes of another realm; a clone has ours and compares.
    const emit = (target, callback, ...args) => this.#record(target, callback, ...args.map(plain));
    const ways = {
      url: { apUrl: `ws://127.0.0.1:${this.connectPort}/` },
      lookup: {},
      path: { lookupUrl: `http://127.0.0.1:${this.port}/1.4` },
    };
    this.#agent = new Agent(this.page.Signal, emit, APP_ID, ways[this.way]);
  }

  /** Calls a method of the agent. Returns its result; an error is a complaint. */
  start(method, ...args) {
    return this.guard(method, () => this.#agent[method](...args));
  }

  /** Calls a method of the agent, and resolves to its result. */
  async call(method, ...args) {
    return plain(await this.#agent[method](...args));
  }

  /** The numbers of all sockets and of the open ones. */
  socketCounts() {
    const open = [...this.sockets].filter((socket) => socket.readyState === socket.OPEN);
    return { opened: this.sockets.size, open: open.length };
  }

  /** Runs SDK code: what it throws is an uncaught error on a page, and a failure of the scenario here. */
  guard(where, body) {
    try {
      return body();
    } catch (error) {
      this.complain(`the SDK threw in ${where}: ${error?.message ?? error}`);
    }
  }

  complain(text) {
    this.#record('tab', text);
  }

  /** Closes the page: no timer fires and no socket is open afterwards. */
  close() {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.sockets) socket.terminate();
  }

  #clocks() {
    const start = (set) => (body, delay, ...rest) => {
      const timer = set(() => this.guard('a timer', () => body(...rest)), delay);
      this.#timers.add(timer);
      return timer;
    };
    const stop = (timer) => {
      this.#timers.delete(timer);
      clearTimeout(timer);
    };
    return {
      setTimeout: start(setTimeout),
      setInterval: start(setInterval),
      clearTimeout: stop,
      clearInterval: stop,
    };
  }
}

function plain(value) {
  return structuredClone(value);
}
