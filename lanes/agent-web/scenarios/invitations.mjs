// Errors of the SDK for misused invitations.

import { refused } from '../context.mjs';

const misuse = (errorCode, name) => refused('INVITATION_API_CALL', errorCode, name);
const BAD = misuse(1, 'INVALID_ARGUMENT');
const NOT_STARTED = misuse(2, 'NOT_STARTED');
const ENDED = misuse(3, 'ALREADY_END');

async function notLoggedIn(ctx) {
  const session = await ctx.session();
  const invitation = { invitation: 1, calleeId: 'bob', channelId: 'room', content: 'come' };
  await session.expect('localInvitation.send', invitation, {});
  await session.next('LocalInvitationFailure', { invitation: { ...invitation, response: '' }, reason: 'NOT_LOGGEDIN' });
  await session.expect('localInvitation.send', invitation, ENDED);
  await session.expect('localInvitation.cancel', { invitation: 1 }, ENDED);
}

async function misused(ctx) {
  const session = await ctx.session();
  await session.expect('localInvitation.cancel', { invitation: 1 }, NOT_STARTED);
  await session.expect('remoteInvitation.accept', { invitation: 1, response: 'yes' }, NOT_STARTED);
  await session.expect('remoteInvitation.refuse', { invitation: 1 }, NOT_STARTED);
  const invitation = { invitation: 1, calleeId: 'bob', channelId: 'room', content: 'x'.repeat(8193) };
  await session.expect('localInvitation.send', invitation, BAD);
  // It was never sent, so the number is free.
  await session.expect('localInvitation.send', { ...invitation, content: 'x'.repeat(8192) }, {});
  const sent = { ...invitation, content: 'x'.repeat(8192), response: '' };
  await session.next('LocalInvitationFailure', { invitation: sent, reason: 'NOT_LOGGEDIN' });
  for (const calleeId of ['', 'null', 'a/b', 'x'.repeat(65)]) {
    await session.expect('localInvitation.send', { invitation: 2, calleeId, channelId: 'room', content: '' }, BAD);
  }
}

export const scenarios = [
  { name: 'invitation-not-logged-in', run: notLoggedIn },
  { name: 'invitation-misuse', run: misused },
];
