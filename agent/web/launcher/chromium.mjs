// A headless Chromium of one's own: found, started with a private profile, ended with all its processes.

import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { log } from './log.mjs';
import { Pipe } from './pipe.mjs';

const PROGRAMS = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];
/** Milliseconds for a browser to end after `Browser.close`. */
const GRACE = 3000;

const ARGUMENTS = [
  '--headless',
  '--remote-debugging-pipe',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-extensions',
  '--disable-sync',
  '--disable-breakpad',
  '--disable-gpu',
  '--mute-audio',
  '--password-store=basic',
  // An invisible page must keep its timers: logins, heartbeats and invitations depend on them.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--disable-hang-monitor',
];

/** The program's file. */
export function findChromium(wanted) {
  const names = wanted === undefined ? PROGRAMS : [wanted];
  const folders = (process.env.PATH ?? '').split(':');
  const files = names.flatMap((name) => (name.includes('/') ? [name] : folders.map((folder) => path.join(folder, name))));
  const found = files.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found) return found;
  const error = new Error(`not installed: ${names.join(', ')}`);
  error.hint = 'apt install chromium-headless-shell, or give the browser with --chromium';
  throw error;
}

export class Chromium {
  #process;
  #profile;
  #exited;
  pipe;

  /**
   * @param {object} options
   * @param {string} options.program
   * @param {string[]} options.args
   * @param {(method: string, params: object, sessionId?: string) => void} options.onEvent its events
   */
  constructor({ program, args, onEvent }) {
    this.#profile = mkdtempSync(path.join(os.tmpdir(), 'sigbridge-agent-'));
    const isRoot = process.getuid?.() === 0;
    if (isRoot) log('WARN', "Chromium's sandbox does not start for root: run the agent as another user");
    const own = [`--user-data-dir=${this.#profile}`, ...(isRoot ? ['--no-sandbox'] : [])];
    this.#process = spawn(program, [...ARGUMENTS, ...own, ...args, 'about:blank'], {
      // A group of its own, so that all of it can be ended.
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      // Nothing of ours that it does not need: the secret may be in the environment.
      env: { PATH: process.env.PATH, HOME: this.#profile, LANG: 'C.UTF-8' },
    });
    this.#exited = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve(error.message));
      this.#process.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
    }).then((how) => {
      this.pipe.close();
      this.#kill();
      rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
      return how;
    });
    const [, , , out, from] = this.#process.stdio;
    this.pipe = new Pipe(out, from, onEvent);
  }

  get pid() {
    return this.#process.pid;
  }

  /** Resolves to how it ended, once it has. */
  get exited() {
    return this.#exited;
  }

  /** Ends it; resolves at its exit. */
  async end() {
    this.pipe.call('Browser.close').catch(() => {});
    const timer = setTimeout(() => this.#kill(), GRACE);
    await this.#exited;
    clearTimeout(timer);
  }

  #kill() {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // None of them is left.
    }
  }
}
