// The agent's page in a Chromium: load, start, status.

import { log } from './log.mjs';

export class AgentPage {
  #pipe;
  #sessionId;
  #targetId;
  #loaded;
  #failed;
  /** Resolves to the reason of the end of the page. */
  failed = new Promise((resolve) => {
    this.#failed = resolve;
  });

  constructor(pipe) {
    this.#pipe = pipe;
  }

  /**
   * Loads the page and starts the agent in it.
   *
   * @param {string} url
   * @param {object} config what `startAgent` takes: the secret goes by this pipe, and is on no command line and in no URL
   */
  async load(url, config) {
    const { targetId } = await this.#pipe.call('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.#pipe.call('Target.attachToTarget', { targetId, flatten: true });
    this.#sessionId = sessionId;
    this.#targetId = targetId;
    await this.#call('Page.enable');
    await this.#call('Runtime.enable');
    await this.#call('Inspector.enable');
    await this.#call('Runtime.addBinding', { name: 'agentLog' });
    const loaded = new Promise((resolve) => {
      this.#loaded = resolve;
    });
    const { errorText } = await this.#call('Page.navigate', { url });
    if (errorText) throw new Error(`the page does not load: ${errorText}`);
    await Promise.race([loaded, this.failed.then((why) => Promise.reject(new Error(why)))]);
    const version = await this.#evaluate('window.AgoraRTM?.VERSION ?? ""');
    if (!version) throw new Error('the SDK does not load: its file has made no AgoraRTM');
    if (!(await this.#evaluate('typeof window.startAgent === "function"'))) throw new Error('the page is not whole');
    await this.#evaluate(`startAgent(${JSON.stringify(config)})`);
    return version;
  }

  /** The page's status; rejects when it does not answer. */
  async status() {
    return JSON.parse(await this.#evaluate('agentStatus()'));
  }

  /** Closes its link, so that the bridge detects the end at once. */
  async stop() {
    await this.#evaluate('stopAgent()');
  }

  /** Makes room for another one. */
  async close() {
    await this.#pipe.call('Target.closeTarget', { targetId: this.#targetId });
  }

  /** Takes an event of Chromium. */
  onEvent(method, params, sessionId) {
    if (method === 'Target.detachedFromTarget' && params.sessionId === this.#sessionId) this.#failed('the page has ended');
    if (sessionId !== this.#sessionId) return;
    if (method === 'Page.loadEventFired') this.#loaded?.();
    if (method === 'Runtime.bindingCalled') log('INFO', params.payload);
    if (method === 'Runtime.exceptionThrown') log('ERROR', `in the page: ${describe(params.exceptionDetails)}`);
    if (method === 'Runtime.consoleAPICalled') log('INFO', `console: ${params.args.map(show).join(' ')}`);
    if (method === 'Inspector.targetCrashed') this.#failed('the page has crashed');
    if (method === 'Inspector.detached') this.#failed('the page has ended');
  }

  #call(method, params) {
    return this.#pipe.call(method, params, this.#sessionId);
  }

  async #evaluate(expression) {
    const { result, exceptionDetails } = await this.#call('Runtime.evaluate', { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(describe(exceptionDetails));
    return result.value;
  }
}

function describe({ text, exception }) {
  return exception?.description ?? text;
}

function show({ value, description }) {
  return typeof value === 'string' ? value : (description ?? JSON.stringify(value));
}
