// A browser without the CA refuses the certificate, so the other scenarios prove its verification.

import { equal, matching } from '../../web/expect.mjs';

export const name = 'untrusted';
export const needs = 'open';
export const ways = ['oneline'];

const BRIDGE = 'https://bridge.example.com:8443/getaddr?vid=app';

export async function run(ctx) {
  const { tab } = await ctx.client(ctx.name('alice'));
  const trusting = await tab.evaluate((url) => fetch(url).then((answer) => answer.status), BRIDGE);
  equal(trusting, 200, 'look-up where the CA is trusted');

  const browser = await ctx.untrusting();
  try {
    const page = await browser.context.newPage();
    const refused = await page.goto(BRIDGE).then(
      () => 'no error',
      (error) => error.message,
    );
    const unknownCa = matching('ERR_CERT_AUTHORITY_INVALID', (text) => text.includes('ERR_CERT_AUTHORITY_INVALID'));
    equal(refused, unknownCa, 'look-up where it is not');
  } finally {
    await browser.close();
  }
}
