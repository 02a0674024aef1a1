#!/usr/bin/env node
// Loads the page with the vendor's RTM SDK in a headless Chromium, and keeps it running: the agent of sigbridge.

import { Keeper } from './launcher/keeper.mjs';
import { findChromium } from './launcher/chromium.mjs';
import { log } from './launcher/log.mjs';
import { readOptions, USAGE, Wrong } from './launcher/options.mjs';
import { findSdk } from './launcher/sdk.mjs';
import { startSite } from './launcher/site.mjs';

const FAILED = 1;
const WRONG = 64;

// A line that cannot be written is lost, and nothing else is.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

try {
  await main();
} catch (error) {
  console.error(`error: ${error.message}`);
  if (error.hint) console.error(`\nhint: ${error.hint}`);
  process.exit(error instanceof Wrong ? WRONG : FAILED);
}

async function main() {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) {
    console.log(USAGE);
    return;
  }
  const sdk = findSdk(options.sdk);
  const program = findChromium(options.chromium);
  const keeper = new Keeper({ options, sdk, program });
  const site = await startSite({ port: options.port, sdk: sdk.file, status: () => keeper.status });
  log('INFO', `agora-rtm-sdk ${sdk.version} for ${options.bridge}; the page's origin is ${site.origin}`);
  const stop = async (why, code) => {
    log('INFO', `${why}: stopping`);
    await keeper.stop();
    site.close();
    process.exit(code);
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stop(signal, 0));
  process.on('SIGHUP', () => log('INFO', 'SIGHUP ignored: no file is read again'));
  await keeper.run(`${site.origin}/`);
}
