// Objects of the other side: in order, once each, acknowledged when they are processed.

/** Objects after which an acknowledgement goes out. */
const OBJECTS = 32;
/** Milliseconds after which it does. */
const DELAY = 200;

export class Inbox {
  #clock;
  #acknowledge;
  #processed = 0;
  #acknowledged = 0;
  #seen = 0;
  #waiting = [];
  #callOff;

  /**
   * @param {object} clock
   * @param {(seq: number) => void} acknowledge sends one over a connected link
   */
  constructor(clock, acknowledge) {
    this.#clock = clock;
    this.#acknowledge = acknowledge;
  }

  /** The last number that was processed. */
  get processed() {
    return this.#processed;
  }

  /**
   * Takes an object off the link.
   *
   * @returns {'new' | 'old' | 'gap'} `gap` when one before it is missing
   */
  take(object) {
    if (object.seq <= this.#seen) return 'old';
    if (object.seq !== this.#seen + 1) return 'gap';
    this.#seen = object.seq;
    this.#waiting.push(object);
    return 'new';
  }

  /** How many objects wait to be processed. */
  get waiting() {
    return this.#waiting.length;
  }

  /** The next object to process, which it is from then on. */
  next() {
    const object = this.#waiting.shift();
    if (object === undefined) return undefined;
    this.#processed = object.seq;
    if (this.#processed - this.#acknowledged >= OBJECTS) this.acknowledge();
    else this.#callOff ??= this.#clock.after(DELAY, () => this.acknowledge());
    return object;
  }

  /** Acknowledges what was processed, also when that is nothing new: it is the heartbeat. */
  acknowledge() {
    this.#callOff?.();
    this.#callOff = undefined;
    this.#acknowledged = this.#processed;
    this.#acknowledge(this.#processed);
  }

  /** After a lost link: what came and was not processed comes again. */
  rewind() {
    this.#waiting = [];
    this.#seen = this.#processed;
  }

  /** For another driver: begins at 1. */
  restart() {
    this.#callOff?.();
    this.#callOff = undefined;
    this.#processed = this.#acknowledged = this.#seen = 0;
    this.#waiting = [];
  }
}
