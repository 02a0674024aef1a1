// Objects of this side: numbered, sent within the window, kept until the other side has acknowledged them.

/** Most unacknowledged objects: further events are lost, and counted. */
export const LIMIT = 20_000;
/** The same in UTF-16 units of their text. */
export const LIMIT_TEXT = 64 * 1024 * 1024;
/** The largest frame, bytes: the bridge takes no larger ones. */
const LARGEST = 256 * 1024;

export class Outbox {
  #entries = [];
  #length = 0;
  #sent = 0;
  #next = 1;
  #window = 1;
  #dropped = 0;

  /** Lost events since the last report. */
  get dropped() {
    return this.#dropped;
  }

  /** How many objects are not acknowledged. */
  get size() {
    return this.#entries.length;
  }

  /** True if objects wait for acknowledgements: then no call is started. */
  get isFull() {
    return this.#entries.length >= this.#window;
  }

  set window(window) {
    this.#window = window;
  }

  /** Takes a reply, which always has room: no request is begun while this is full. */
  pushReply(id, answer) {
    if (this.#push({ id, ...answer })) return;
    this.#push({ id, error: { code: -32603, message: 'the answer is larger than a frame may be' } });
  }

  /** Queues an event, unless the queue is full. */
  pushEvent(method, params) {
    if (this.#entries.length >= LIMIT || this.#length >= LIMIT_TEXT) {
      this.#dropped += 1;
      return;
    }
    this.#tellDropped();
    if (!this.#push({ method, params })) this.#dropped += 1;
  }

  /** Counts events that were lost elsewhere. */
  lose(events) {
    this.#dropped += events;
  }

  /** The texts that may be sent now. */
  take() {
    if (this.#entries.length < this.#window) this.#tellDropped();
    const texts = this.#entries.slice(this.#sent, this.#window).map((entry) => entry.text);
    this.#sent += texts.length;
    return texts;
  }

  /**
   * Forgets what the other side has.
   *
   * @returns {boolean} false for a number that was never sent
   */
  acknowledge(seq) {
    if (!Number.isSafeInteger(seq) || seq < 0 || seq >= this.#next) return false;
    const first = this.#entries[0]?.seq ?? this.#next;
    const done = this.#entries.splice(0, Math.max(0, seq + 1 - first));
    for (const { text } of done) this.#length -= text.length;
    this.#sent = Math.max(0, this.#sent - done.length);
    return true;
  }

  /** After a lost link: all above `received` is sent again. False as for `acknowledge`. */
  rewind(received) {
    const known = this.acknowledge(received);
    this.#sent = 0;
    return known;
  }

  /** For another driver: begins at 1. Returns the unacknowledged objects. */
  restart() {
    const left = this.#entries.map((entry) => JSON.parse(entry.text));
    this.#entries = [];
    this.#length = 0;
    this.#sent = 0;
    this.#next = 1;
    return left;
  }

  #tellDropped() {
    if (this.#dropped === 0) return;
    const events = this.#dropped;
    this.#dropped = 0;
    this.#push({ method: 'agent.dropped', params: { events } });
  }

  /** False, and nothing is done, for what no frame can hold. */
  #push(object) {
    const text = JSON.stringify({ jsonrpc: '2.0', ...object, seq: this.#next });
    // A UTF-16 unit has at most three bytes, so most texts need not be counted.
    if (text.length * 3 > LARGEST && new TextEncoder().encode(text).length > LARGEST) return false;
    this.#entries.push({ seq: this.#next, text });
    this.#next += 1;
    this.#length += text.length;
    return true;
  }
}
