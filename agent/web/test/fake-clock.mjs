// A clock that only the test moves.

/** Lets everything run that waits for nothing but its turn. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export class FakeClock {
  #now = 0;
  #timers = new Set();

  now = () => this.#now;

  after = (milliseconds, task) => {
    const timer = { at: this.#now + milliseconds, task };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Moves it, timer by timer. */
  async advance(milliseconds) {
    const until = this.#now + milliseconds;
    await settled();
    for (let next = this.#next(until); next; next = this.#next(until)) {
      this.#timers.delete(next);
      this.#now = next.at;
      next.task();
      await settled();
    }
    this.#now = until;
  }

  #next(until) {
    return [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
  }
}
