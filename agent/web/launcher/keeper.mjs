// Keeps a Chromium with the agent's page running: starts it, polls its status, starts it again.

import { setTimeout as sleep } from 'node:timers/promises';
import { Chromium } from './chromium.mjs';
import { log } from './log.mjs';
import { AgentPage } from './page.mjs';

/** Milliseconds before each start after the first; the last is repeated. */
const DELAYS = [500, 1000, 2000, 5000, 10_000, 30_000];
/** Milliseconds after which a start has been a good one. */
const GOOD = 60_000;
/** Milliseconds between questions. */
const STATUS_TIMEOUT = 5000;
/** Pages that one Chromium is given, one after another, before another Chromium is. */
const PAGES = 3;

export class Keeper {
  #options;
  #sdk;
  #program;
  #chromium;
  #page;
  #stopped = new AbortController();
  #status = { state: 'starting', starts: 0, pages: 0, error: undefined, page: null };

  constructor({ options, sdk, program }) {
    this.#options = options;
    this.#sdk = sdk;
    this.#program = program;
  }

  /** For `GET /status`. */
  get status() {
    const { state, starts, pages, error, page, browser, answered } = this.#status;
    const sdk = { installed: this.#sdk.version, loaded: page?.version ?? null };
    const chromium = { program: this.#program, version: browser ?? null, pid: this.#chromium?.pid ?? null, starts };
    const answeredMsAgo = answered === undefined ? null : Math.round(performance.now() - answered);
    return { state, error: error ?? null, sdk, chromium, pages, bridge: this.#options.bridge, page, answeredMsAgo };
  }

  /** Runs until `stop`. */
  async run(url) {
    let failures = 0;
    while (!this.#stopped.signal.aborted) {
      const begin = performance.now();
      const why = await this.#once(url);
      if (this.#stopped.signal.aborted) return;
      failures = performance.now() - begin >= GOOD ? 0 : failures + 1;
      const delay = DELAYS[Math.min(Math.max(failures - 1, 0), DELAYS.length - 1)];
      Object.assign(this.#status, { state: 'waiting', error: why, page: null });
      log('ERROR', `${why}; starting Chromium again in ${delay / 1000} s`);
      await sleep(delay, undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  async stop() {
    this.#stopped.abort();
    this.#status.state = 'stopping';
    await this.#page?.stop().catch(() => {});
    await this.#chromium?.end();
  }

  /** One Chromium, from its start to its end; resolves to why it ended. */
  async #once(url) {
    Object.assign(this.#status, { state: 'starting', starts: this.#status.starts + 1 });
    const onEvent = (...event) => this.#page?.onEvent(...event);
    const chromium = new Chromium({ program: this.#program, args: this.#options.chromiumArgs, onEvent });
    this.#chromium = chromium;
    const exited = chromium.exited.then((how) => `Chromium has ended: ${how}`);
    const why = await Promise.race([exited, this.#pages(chromium, url)]);
    this.#page = undefined;
    await chromium.end();
    this.#chromium = undefined;
    return why;
  }

  /** Pages, one after another, until they are too many; resolves to why the last one ended. */
  async #pages(chromium, url) {
    try {
      const { product } = await chromium.pipe.call('Browser.getVersion');
      this.#status.browser = product;
      for (let count = 1; ; count += 1) {
        const why = await this.#watch(chromium, url);
        // One that hangs cannot be closed, and may hold what the next one needs.
        if (count >= PAGES || why.hangs || this.#stopped.signal.aborted) return why.text;
        log('ERROR', `${why.text}; loading it again`);
        await this.#page?.close().catch(() => {});
        await sleep(DELAYS[count - 1]);
        // Meanwhile there may be another one, with a page of its own.
        if (chromium.pipe.isClosed) return why.text;
      }
    } catch (error) {
      return error.message;
    }
  }

  /** One page, from its load to its end. */
  async #watch(chromium, url) {
    const { bridge, secret, areas, cloudProxy, sdkLog } = this.#options;
    const page = new AgentPage(chromium.pipe);
    this.#page = page;
    this.#status.pages += 1;
    const version = await page.load(url, { url: bridge, secret, areas, cloudProxy, sdkLog });
    log('INFO', `agora-rtm-sdk ${version} runs in ${this.#status.browser}`);
    this.#status.state = 'running';
    this.#status.error = undefined;
    const failed = page.failed.then((text) => ({ text, hangs: false }));
    for (;;) {
      const reported = page.status().then(
        (status) => {
          this.#status.page = status;
          this.#status.answered = performance.now();
        },
        (error) => ({ text: `the page does not answer: ${error.message}`, hangs: true }),
      );
      const why = (await Promise.race([failed, reported])) ?? (await Promise.race([failed, sleep(STATUS_TIMEOUT)]));
      if (why) return why;
    }
  }
}
