// Lines for people, on stderr.

export function log(level, text) {
  // What comes from a page may have lines of its own.
  const line = String(text).replaceAll(/[\r\n]+/g, ' ');
  process.stderr.write(`${new Date().toISOString()} ${level.padStart(5)} ${line}\n`);
}
