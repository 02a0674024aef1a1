// Options of the launcher.

import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { log } from './log.mjs';

export const USAGE = `usage: node launch.mjs [--bridge URL] [--secret-file FILE]

  --bridge URL          where sigbridge takes its agent (default: ws://127.0.0.1:8010/agent)
  --secret-file FILE    the file that [upstream.agent] secret_file names; without it, $SIGBRIDGE_AGENT_SECRET is the
                        secret, and without that there is none, which a bridge on this machine may allow
  --sdk DIR             where npm has installed agora-rtm-sdk 1.5.1 (default: beside this file)
  --port N              the page's port on 127.0.0.1 (default: 8011); its origin must be in [upstream.agent] origins
  --chromium FILE       the browser (default: chromium-headless-shell, else chromium)
  --chromium-arg ARG    one more argument for it; may be given again
  --area AREA           RTM's servers of this area only, as the SDK's AreaCode names it; may be given again
  --cloud-proxy         reach RTM by the vendor's cloud proxy
  --sdk-log             log the SDK's warnings, which may name users

exit code: 0 stopped by a signal, 1 could not start, 64 wrong usage`;

const AREAS = ['GLOBAL', 'INDIA', 'JAPAN', 'ASIA', 'EUROPE', 'CHINA', 'NORTH_AMERICA'];

/** Wrong usage. */
export class Wrong extends Error {
  constructor(message, hint = 'node launch.mjs --help lists the options') {
    super(message);
    this.hint = hint;
  }
}

/** Reads the arguments; the secret comes from a file or the environment, never from an argument, which anybody can list. */
export function readOptions(args, env) {
  const values = parse(args);
  if (values.help) return { help: true };
  return {
    bridge: bridge(values.bridge),
    secret: secret(values['secret-file'], env.SIGBRIDGE_AGENT_SECRET),
    sdk: path.resolve(values.sdk),
    port: port(values.port),
    chromium: values.chromium,
    chromiumArgs: values['chromium-arg'],
    areas: areas(values.area),
    cloudProxy: values['cloud-proxy'],
    sdkLog: values['sdk-log'],
  };
}

function parse(args) {
  const options = {
    bridge: { type: 'string', default: 'ws://127.0.0.1:8010/agent' },
    'secret-file': { type: 'string' },
    sdk: { type: 'string', default: path.join(import.meta.dirname, '..') },
    port: { type: 'string', default: '8011' },
    chromium: { type: 'string' },
    'chromium-arg': { type: 'string', multiple: true, default: [] },
    area: { type: 'string', multiple: true },
    'cloud-proxy': { type: 'boolean', default: false },
    'sdk-log': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  };
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new Wrong(error.message);
  }
}

function bridge(text) {
  const url = URL.parse?.(text) ?? (URL.canParse(text) ? new URL(text) : undefined);
  if (!url || !['ws:', 'wss:'].includes(url.protocol)) throw new Wrong(`--bridge ${text} is no ws:// or wss:// address`);
  return url.href;
}

function secret(file, fromEnv) {
  if (file === undefined) return (fromEnv ?? '').trim();
  const text = read(file).trim();
  if (!text) throw new Wrong(`${file} is empty`, 'put at least 16 random bytes into it: openssl rand -hex 32');
  return text;
}

function read(file) {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Wrong(`cannot read the secret: ${error.message}`, 'give the file that [upstream.agent] secret_file names');
  }
  if (statSync(file).mode & 0o004) log('WARN', `everybody can read ${file}: chmod 640 it`);
  return text;
}

function port(text) {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65_535) throw new Wrong(`--port ${text} is no port`);
  return number;
}

function areas(names) {
  const unknown = names?.find((name) => !AREAS.includes(name));
  if (unknown) throw new Wrong(`--area ${unknown} is unknown; areas: ${AREAS.join(', ')}`);
  return names;
}
