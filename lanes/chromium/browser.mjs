// Debian's Chromium, without a window, with a home of its own in which the CA is trusted or is not.

import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/**
 * Starts a browser.
 *
 * @param {{chromium: object}} playwright
 * @param {object} options
 * @param {string} options.program
 * @param {string} [options.ca] the PEM file of a CA to trust; without one, the browser trusts no certificate of the lane
 * @param {string} [options.har] the file for an archive of all that its pages send and get, the messages of sockets included
 * @param {string[]} options.rules host rules: all names that it may resolve, with their addresses
 */
export async function startBrowser(playwright, { program, ca, har, rules }) {
  const home = mkdtempSync(path.join(os.tmpdir(), 'sigbridge-chromium-'));
  // Where Chromium on Linux looks for certificates beyond its own.
  const store = path.join(home, '.pki/nssdb');
  mkdirSync(store, { recursive: true });
  const certutil = (...args) => execFileSync('certutil', ['-d', `sql:${store}`, ...args], { stdio: 'pipe' });
  certutil('-N', '--empty-password');
  if (ca) certutil('-A', '-n', 'sigbridge', '-t', 'C,,', '-i', ca);
  const context = await playwright.chromium.launchPersistentContext(path.join(home, 'profile'), {
    executablePath: onPath(program),
    headless: true,
    // Its sandbox does not start for root.
    chromiumSandbox: process.getuid() !== 0,
    args: [`--host-resolver-rules=${[...rules, 'EXCLUDE 127.0.0.1', 'MAP * ~NOTFOUND'].join(', ')}`],
    ...(har && { recordHar: { path: har, content: 'embed' } }),
    env: { PATH: process.env.PATH, HOME: home },
  });
  return {
    context,
    async close() {
      await context.close();
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The file of a program. */
export function onPath(program) {
  if (program.includes('/')) return program;
  const candidates = process.env.PATH.split(':').map((folder) => path.join(folder, program));
  const found = candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!found) throw new Error(`${program} is not installed`);
  return found;
}
