// The vendor's SDK, where npm has put it.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { log } from './log.mjs';

/** What the page was written for, and tested with. */
const WRITTEN_FOR = /^1\.5\./;

/**
 * Finds the SDK of a directory.
 *
 * @returns {{file: string, version: string}}
 */
export function findSdk(directory) {
  const folder = path.join(directory, 'node_modules', 'agora-rtm-sdk');
  let about;
  try {
    about = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  } catch (error) {
    const why = new Error(`the SDK is not in ${directory}: ${error.message}`);
    why.hint = `npm ci --prefix ${directory}`;
    throw why;
  }
  const version = String(about.version);
  if (!WRITTEN_FOR.test(version)) {
    log('WARN', `agora-rtm-sdk is ${version}: this agent is written for 1.5, and tested with 1.5.1`);
  }
  return { file: path.join(folder, about.browser ?? about.main ?? 'index.js'), version };
}
