// A tab of the browser, as the Web lane's clients use one.

import { APP_ID } from '../web/token.mjs';

/** Opens tabs and hands each what its page emits. A page is used again: a new one costs more than all it is used for. */
export class Tabs {
  #context;
  #idle = [];
  #tabs = new Map();

  /** @param {object} context the browser's */
  static async of(context) {
    const tabs = new Tabs();
    tabs.#context = context;
    await context.exposeBinding('emitEvent', ({ page }, ...event) => tabs.#tabs.get(page)?.event(...event));
    return tabs;
  }

  /**
   * A tab with the SDK loaded, and its agent.
   *
   * @param {{url: string, way: object, address?: string, record: Function}} options the page's address; the agent's
   *   way; the address of every socket; the recorder of events
   */
  async open({ url, way, address, record }) {
    const page = this.#idle.pop() ?? (await this.#context.newPage());
    const tab = new Tab(page, { address, record, release: () => this.#release(page) });
    this.#tabs.set(page, tab);
    await page.goto(url);
    await page.evaluate(([appId, chosen]) => window.startAgent(appId, chosen), [APP_ID, way]);
    return tab;
  }

  /** Leaves the page, which ends its timers and its sockets. */
  async #release(page) {
    this.#tabs.delete(page);
    try {
      await page.goto('about:blank');
      this.#idle.push(page);
    } catch {
      // Whatever is the matter with it, the next tab gets another.
      await page.close().catch(() => {});
    }
  }
}

/** One page, for one client. */
class Tab {
  lookups = [];
  #page;
  #record;
  #release;
  #handlers;
  #sockets = [];
  #emitted = 0;
  #closed = false;

  constructor(page, { address, record, release }) {
    this.#page = page;
    this.#record = record;
    this.#release = release;
    this.#handlers = {
      pageerror: (error) => this.complain(`uncaught: ${error.message}`),
      request: (request) => {
        if (request.url().includes('/getaddr?')) this.lookups.push(request.url());
      },
      websocket: (socket) => {
        this.#sockets.push(socket);
        if (address && socket.url() !== address) this.complain(`the address is ${socket.url()}, expected ${address}`);
      },
    };
    for (const [name, handler] of Object.entries(this.#handlers)) page.on(name, handler);
  }

  /** The page itself, for what the SDK has no part in. */
  evaluate(body, argument) {
    return this.#page.evaluate(body, argument);
  }

  /** Calls a method of the agent. Resolves to its result; an error is a complaint. */
  start(method, ...args) {
    return this.call(method, ...args).catch((error) => this.complain(`the SDK threw in ${method}: ${error.message}`));
  }

  /** Calls a method of the agent, and resolves to its result. */
  call(method, ...args) {
    return this.#page.evaluate(([name, values]) => window.agent[name](...values), [method, args]);
  }

  /** The addresses of all sockets, in order. */
  addresses() {
    return this.#sockets.map((socket) => socket.url());
  }

  /** The numbers of all sockets and of the open ones. */
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

  /** Closes the tab: no timer fires and no socket is open afterwards. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    for (const [name, handler] of Object.entries(this.#handlers)) this.#page.off(name, handler);
    this.#release();
  }
}
