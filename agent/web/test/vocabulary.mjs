// Prints the RTM vocabulary of the page, for a test that compares it with that of sigbridge.

import { CALLS } from '../page/calls.mjs';
import { NAMES } from '../page/errors.mjs';
import { OF_CHANNEL, OF_CLIENT, OF_LOCAL_INVITATION, OF_REMOTE_INVITATION } from '../page/events.mjs';

const calls = Object.entries(CALLS).map(([name, { of, params, hasResult = false }]) => ({
  name,
  of,
  params: Object.keys(params),
  hasResult,
}));
// An incoming invitation is announced by its client, and numbered on the way.
const tables = [OF_CLIENT, OF_CHANNEL, OF_LOCAL_INVITATION, OF_REMOTE_INVITATION, { RemoteInvitationReceived: null }];
console.log(JSON.stringify({ calls, events: tables.flatMap(Object.keys), errors: NAMES }));
