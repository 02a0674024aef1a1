// Chromium's DevTools protocol over its pipe: no port that others could connect to, and no argument that they could read.

/** Milliseconds for an answer. Whoever does not answer is killed with all sessions, so a busy one is given time. */
const PATIENCE = 30_000;

export class Pipe {
  #out;
  #listener;
  #next = 1;
  #calls = new Map();
  #rest = [];
  /** True after the end of Chromium: no answer will arrive. */
  isClosed = false;

  /**
   * @param {{write: Function}} out to Chromium
   * @param {{on: Function}} from from Chromium
   * @param {(method: string, params: object, sessionId?: string) => void} listener gets its events
   */
  constructor(out, from, listener) {
    this.#out = out;
    this.#listener = listener;
    from.on('data', (chunk) => this.#read(chunk));
    // The exit of the browser is noticed elsewhere.
    from.on('error', () => {});
    out.on('error', () => {});
  }

  /** Calls a method; rejects with Chromium's error, or after a timeout. */
  call(method, params = {}, sessionId = undefined) {
    if (this.isClosed) return Promise.reject(new Error(`${method}: Chromium has ended`));
    const id = this.#next;
    this.#next += 1;
    this.#out.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#calls.delete(id);
        reject(new Error(`${method}: no answer in ${PATIENCE / 1000} s`));
      }, PATIENCE);
      this.#calls.set(id, { method, resolve, reject, timer });
    });
  }

  /** Nobody will answer any more. */
  close() {
    this.isClosed = true;
    for (const { method, reject, timer } of this.#calls.values()) {
      clearTimeout(timer);
      reject(new Error(`${method}: Chromium has ended`));
    }
    this.#calls.clear();
  }

  #read(chunk) {
    let from = 0;
    for (let end = chunk.indexOf(0); end !== -1; end = chunk.indexOf(0, from)) {
      const text = Buffer.concat([...this.#rest, chunk.subarray(from, end)]).toString();
      this.#rest = [];
      from = end + 1;
      this.#take(JSON.parse(text));
    }
    if (from < chunk.length) this.#rest.push(chunk.subarray(from));
  }

  #take({ id, method, params, result, error, sessionId }) {
    if (id === undefined) return this.#listener(method, params, sessionId);
    const call = this.#calls.get(id);
    if (!call) return undefined;
    this.#calls.delete(id);
    clearTimeout(call.timer);
    return error ? call.reject(new Error(`${call.method}: ${error.message}`)) : call.resolve(result);
  }
}
