// The agent under test: the launcher of agent/web, as an operator starts it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const LAUNCHER = path.join(import.meta.dirname, '../../agent/web/launch.mjs');
/** Nothing leaves this machine, and machines with a network behave as those without. */
const NOWHERE = 'MAP * ~NOTFOUND, EXCLUDE 127.0.0.1';

/** A launcher with its browser. */
export class Agent {
  lines = [];
  #process;

  /** @param {{bridge: string, secret: string, sdk: string, chromium?: string, rules?: string}} options */
  constructor({ bridge, secret, sdk, chromium, rules = NOWHERE }) {
    const args = [LAUNCHER, '--bridge', bridge, '--sdk', sdk, '--port', '0', `--chromium-arg=--host-resolver-rules=${rules}`];
    if (chromium) args.push('--chromium', chromium);
    const env = { PATH: process.env.PATH, SIGBRIDGE_AGENT_SECRET: secret, TMPDIR: process.env.TMPDIR ?? '/tmp' };
    this.#process = spawn(process.execPath, args, { env, stdio: ['ignore', 'inherit', 'pipe'] });
    createInterface(this.#process.stderr).on('line', (line) => this.lines.push(line));
    this.exited = once(this.#process, 'exit').then(([code]) => code);
  }

  /** The status of the launcher; undefined before it listens. */
  async status() {
    const line = this.lines.find((text) => text.includes('origin is '));
    if (!line) return undefined;
    const origin = line.split('origin is ')[1];
    return (await fetch(`${origin}/status`)).json();
  }

  /** Waits for a line with that text, from line number `from` on. */
  async logged(text, from = 0, patience = 45_000) {
    for (let waited = 0; waited < patience; waited += 50) {
      const line = this.lines.slice(from).find((candidate) => candidate.includes(text));
      if (line) return line;
      await sleep(50);
    }
    throw new Error(`missing in the log: ${text}\n${this.lines.join('\n')}`);
  }

  /** The processes of its browser: the first one, and those that show pages. */
  async processes() {
    const { chromium } = await this.status();
    return { browser: chromium.pid, renderers: descendants(chromium.pid).filter(isRenderer) };
  }

  async stop() {
    this.#process.kill('SIGTERM');
    return this.exited;
  }
}

/** The processes below one, itself included. */
export function descendants(pid) {
  const parents = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), parentOf(name)]),
  );
  const below = new Set([pid]);
  for (let size = 0; size !== below.size; ) {
    size = below.size;
    for (const [child, parent] of parents) if (below.has(parent)) below.add(child);
  }
  return [...below];
}

function parentOf(pid) {
  // The name of the program, in brackets, may have blanks in it.
  const fields = readProc(pid, 'stat').split(') ').at(-1).split(' ');
  return Number(fields[1]);
}

function isRenderer(pid) {
  return readProc(pid, 'cmdline').includes('--type=renderer');
}

/** A file of a process; empty after its end. */
export function readProc(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
