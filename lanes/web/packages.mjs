// The packages of a lane, as its lock file pins them.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/**
 * A `require` for `directory`, where `npm ci` has been run.
 *
 * @param {string} directory
 * @param {URL} lockFile every package of which must be there, and no other in its place
 */
export function pinnedRequire(directory, lockFile) {
  const root = path.resolve(directory);
  const pinned = readJson(lockFile).packages;
  // npm's own note of what it has put there, after it has checked the hashes.
  const note = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(note)) throw new Error(`the SDK is not installed in ${directory}: run npm ci there`);
  const installed = readJson(note).packages;
  // The one named '' is the lane.
  for (const name of Object.keys(pinned).filter(Boolean)) {
    if (installed[name]?.integrity !== pinned[name].integrity) {
      throw new Error(`${name} in ${directory} is not the pinned package: run npm ci there`);
    }
  }
  return createRequire(path.join(root, 'package.json'));
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}
