// Chromium's DevTools protocol over its pipe: no port that others could connect to, and no argument that they could read.

/** Milliseconds for an answer. Whoever does not answer is killed with all sessions, so a busy one is given time. */
const PATIENCE = 30_000;

export class Pipe {
  #out;
  #listener;
  #next = 1;
  #asked = new Map();
  #rest = [];

  /**
   * @param {{write: Function}} out to Chromium
   * @param {{on: Function}} from from Chromium
   * @param {(method: string, params: object, sessionId?: string) => void} listener gets its events
   */
  constructor(out, from, listener) {
    this.#out = out;
    this.#listener = listener;
    from.on('data', (chunk) => this.#read(chunk));
    // A browser that is gone is noticed by its exit.
    from.on('error', () => {});
    out.on('error', () => {});
  }

  /** Asks for something; rejects with what Chromium says, or when it says nothing. */
  ask(method, params = {}, sessionId = undefined) {
    const id = this.#next;
    this.#next += 1;
    this.#out.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        reject(new Error(`${method}: no answer in ${PATIENCE / 1000} s`));
      }, PATIENCE);
      this.#asked.set(id, { method, resolve, reject, timer });
    });
  }

  /** Nobody will answer any more. */
  close() {
    for (const { method, reject, timer } of this.#asked.values()) {
      clearTimeout(timer);
      reject(new Error(`${method}: Chromium is gone`));
    }
    this.#asked.clear();
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
    const asked = this.#asked.get(id);
    if (!asked) return undefined;
    this.#asked.delete(id);
    clearTimeout(asked.timer);
    return error ? asked.reject(new Error(`${asked.method}: ${error.message}`)) : asked.resolve(result);
  }
}
