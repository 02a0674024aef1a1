// SignalingTokens as an application's own server made them.

import { createHash } from 'node:crypto';

/** The app id and certificate of the "auth" server; public test values. */
export const APP_ID = '970CA35de60c44645bbae8a215061b33';
export const CERTIFICATE = '5CFd2fd1755d40ecb72977518be15d3b';

/** What an application sends when its project does not check tokens. */
export const NO_TOKEN = '_no_need_token';

/** A token of `account` that is good until `expires` (seconds since 1970). */
export function signalingToken(account, expires, certificate = CERTIFICATE) {
  const digest = createHash('md5').update(`${account}${APP_ID}${certificate}${expires}`).digest('hex');
  return `1:${APP_ID}:${expires}:${digest}`;
}

/** Seconds since 1970, `offset` from now. */
export function seconds(offset) {
  return Math.floor(Date.now() / 1000) + offset;
}
