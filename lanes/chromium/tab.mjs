// A tab of the browser, as the Web lane's clients use one.

import { APP_ID } from '../web/token.mjs';

/** Opens tabs and hands each what its page emits. */
export class Tabs {
  #roots = [];
  #tabs = new Map();
  #turn = 0;

  /**
   * @param {object} context the browser's
   * @param {number} count of windows of which tabs are opened in turn: those of one share a process, and a browser
   *   delays the sockets of a process that connects many at once
   */
  static async open(context, url, count) {
    const tabs = new Tabs();
    await context.exposeBinding('emitEvent', ({ page }, ...event) => tabs.#tabs.get(page)?.event(...event));
    for (let i = 0; i < count; i += 1) {
      const root = await context.newPage();
      await root.goto(url);
      tabs.#roots.push({ root, opened: Promise.resolve() });
    }
    return tabs;
  }

  /** A window from which a run opens its tabs. */
  window() {
    this.#turn += 1;
    return this.#roots[this.#turn % this.#roots.length];
  }

  /**
   * A tab with the SDK loaded, and its agent.
   *
   * @param {object} window
   * @param {{url: string, way: object, address?: string, record: Function}} options the page's address; the agent's
   *   way; where every socket must go; what is told every event
   */
  async tab(window, { url, way, address, record }) {
    const page = await popup(window);
    const tab = new Tab(page, { address, record });
    this.#tabs.set(page, tab);
    page.once('close', () => this.#tabs.delete(page));
    await page.goto(url);
    await page.evaluate(([appId, chosen]) => window.startAgent(appId, chosen), [APP_ID, way]);
    return tab;
  }
}

// Nothing tells which of two popups is whose, so that one waits for the other.
function popup(window) {
  const { root, opened } = window;
  const open = () => Promise.all([root.waitForEvent('popup'), root.evaluate(() => void globalThis.open())]);
  const next = opened.then(open).then(([page]) => page);
  window.opened = next.catch(() => {});
  return next;
}

/** One page. */
class Tab {
  lookups = [];
  #page;
  #record;
  #sockets = [];
  #emitted = 0;
  #closed = false;

  constructor(page, { address, record }) {
    this.#page = page;
    this.#record = record;
    page.on('pageerror', (error) => this.complain(`uncaught: ${error.message}`));
    page.on('request', (request) => {
      if (request.url().includes('/getaddr?')) this.lookups.push(request.url());
    });
    page.on('websocket', (socket) => {
      this.#sockets.push(socket);
      if (address && socket.url() !== address) this.complain(`the address is ${socket.url()}, expected ${address}`);
    });
  }

  /** Has the agent do something. Resolves to what it returns, if it does not throw. */
  tell(method, ...args) {
    return this.ask(method, ...args).catch((error) => this.complain(`the SDK threw in ${method}: ${error.message}`));
  }

  /** Has the agent do something, and resolves to what it returns. */
  ask(method, ...args) {
    return this.#page.evaluate(([name, values]) => window.agent[name](...values), [method, args]);
  }

  /** The addresses of all sockets, in order. */
  addresses() {
    return this.#sockets.map((socket) => socket.url());
  }

  /** How many sockets were opened, and how many of them are. */
  socketCounts() {
    return { opened: this.#sockets.length, open: this.#sockets.filter((socket) => !socket.isClosed()).length };
  }

  /** Takes an event of the agent. */
  event(number, ...event) {
    this.#emitted += 1;
    if (number !== this.#emitted) this.complain(`event ${number} came as number ${this.#emitted}`);
    this.#record(...event);
  }

  complain(text) {
    if (!this.#closed) this.#record('tab', text);
  }

  /** Closes the page: no timer fires and no socket is open afterwards. */
  close() {
    this.#closed = true;
    this.#page.close().catch(() => {});
  }
}
