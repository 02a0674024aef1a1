// Time, so that tests can have their own.

export const clock = {
  /** Milliseconds that only grow. */
  now: () => performance.now(),

  /** Runs `task` once, after `milliseconds`; returns what calls it off. */
  after(milliseconds, task) {
    const timer = setTimeout(task, milliseconds);
    return () => clearTimeout(timer);
  },
};
