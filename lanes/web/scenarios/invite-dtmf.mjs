// A digit pressed during a call.

import { jsonText } from '../expect.mjs';

export const name = 'invite-dtmf';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  const calling = alice.invite(room, bob.account, '');
  const ringing = await bob.rung(room, alice.account, '');
  ringing.channelInviteAccept('');
  await alice.saw(
    [`${room}/${bob.account}`, 'onInviteReceivedByPeer', ''],
    [`${room}/${bob.account}`, 'onInviteAcceptedByPeer', ''],
  );
  for (const digit of ['5', '#']) {
    calling.channelInviteDTMF(digit);
    await bob.saw([`${room}/${alice.account}`, 'onInviteMsg', jsonText({ msgtype: 'dtmf', msgdata: digit })]);
  }
}
