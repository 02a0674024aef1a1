// A browser tab, as small as the SDK allows: the vendor's file, untouched, in a `vm` context of its own.
//
// One tab per client: the SDK keeps timers and sockets for ever (it pings, polls and reconnects), and a tab can be
// closed, which takes all of them away.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';
import { guardHandlers, socketFor } from './socket.mjs';
import { xhrFor } from './xhr.mjs';

/** Reads the SDK and `ws` from `directory`, where `npm ci` has been run, and refuses all but the pinned packages. */
export function loadVendor(directory) {
  const root = path.resolve(directory);
  const pinned = readJson(new URL('package-lock.json', import.meta.url)).packages;
  // npm's own note of what it has put there, after it has checked the hashes.
  const note = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(note)) throw new Error(`the SDK is not installed in ${directory}: run npm ci there`);
  const installed = readJson(note).packages;
  for (const name of ['node_modules/agora-signaling-sdk', 'node_modules/ws']) {
    if (installed[name]?.integrity !== pinned[name].integrity) {
      throw new Error(`${name} in ${directory} is not the pinned package: run npm ci there`);
    }
  }
  const require = createRequire(path.join(root, 'package.json'));
  const file = require.resolve('agora-signaling-sdk');
  return {
    script: new vm.Script(readFileSync(file, 'utf8'), { filename: path.basename(file) }),
    WebSocket: require('ws').WebSocket,
  };
}

/** One page with the SDK loaded. */
export class Tab {
  lookups = [];
  sockets = new Set();
  #timers = new Set();

  /**
   * @param {{script: vm.Script, WebSocket: Function}} vendor
   * @param {{via: 'url'|'lookup', port: number, connectPort?: number, complain: (text: string) => void}} options
   *   `port` is where the bridge listens, `connectPort` where sockets go (a proxy, when the scenario has one)
   */
  constructor(vendor, options) {
    this.via = options.via;
    this.port = options.port;
    this.connectPort = options.connectPort ?? options.port;
    this.complain = options.complain;

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
    this.Signal = this.page.Signal;
  }

  /** Runs SDK code: what it throws is an uncaught error on a page, and a failure of the scenario here. */
  guard(where, body) {
    try {
      return body();
    } catch (error) {
      this.complain(`the SDK threw in ${where}: ${error?.message ?? error}`);
    }
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

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}
