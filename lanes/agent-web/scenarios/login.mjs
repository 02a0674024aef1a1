// Logins without an answer, because the network is unreachable.

import { setTimeout as sleep } from 'node:timers/promises';
import { equal, matching } from '../../web/expect.mjs';
import { refused } from '../context.mjs';

const CONNECTING = { state: 'CONNECTING', reason: 'LOGIN' };
const TIMED_OUT = { state: 'DISCONNECTED', reason: 'LOGIN_TIMEOUT' };
/** Milliseconds after which a login times out, and how late a busy machine may be. */
const TIMEOUT = 12_000;
const LATE = 2000;

async function timeout(ctx) {
  const session = await ctx.session();
  const begin = performance.now();
  const answer = session.call('login', { uid: 'alice' });
  await session.next('ConnectionStateChanged', CONNECTING);
  await session.next('ConnectionStateChanged', TIMED_OUT);
  equal(await answer, refused('LOGIN', 9, 'TIMEOUT'), 'login');
  const near = matching(`${TIMEOUT} ms`, (ms) => ms > TIMEOUT - 100 && ms < TIMEOUT + LATE);
  equal(performance.now() - begin, near, 'the login took');
}

/** The documents let a logout end a login that is under way. In a browser it waits for the end, and has a number that they lack. */
async function logoutWhileConnecting(ctx) {
  const session = await ctx.session();
  const login = session.call('login', { uid: 'alice' });
  await session.next('ConnectionStateChanged', CONNECTING);
  const logout = session.call('logout');
  await session.next('ConnectionStateChanged', TIMED_OUT);
  equal(await login, refused('LOGIN', 9, 'TIMEOUT'), 'login');
  equal(await logout, refused('LOGOUT', 9), 'logout');
  await session.expect('logout', {}, refused('LOGOUT', 102, 'USER_NOT_LOGGED_IN'));
}

async function tooOften(ctx) {
  const session = await ctx.session();
  void session.call('login', { uid: 'alice' });
  // At once: a busy machine would let a second go by.
  await session.expect('login', { uid: 'alice' }, refused('LOGIN', 10, 'TOO_OFTEN'));
  await session.next('ConnectionStateChanged', CONNECTING);
  await sleep(1500);
  await session.expect('login', { uid: 'alice' }, refused('LOGIN', 8, 'ALREADY_LOGIN'));
  await session.expect('release', {}, {});
  // A release emits no further event, and the name is free.
  await session.expect('logout', {}, -32003);
  await session.expect('createInstance', { appId: '0'.repeat(32) }, {});
  await session.expect('logout', {}, refused('LOGOUT', 102, 'USER_NOT_LOGGED_IN'));
}

async function whileConnecting(ctx) {
  const session = await ctx.session();
  void session.call('login', { uid: 'alice', token: 'none' });
  await session.next('ConnectionStateChanged', CONNECTING);
  const message = { messageType: 'TEXT', text: 'hi' };
  await session.expect('sendMessageToPeer', { peerId: 'b', message }, refused('PEER_MESSAGE', 102, 'USER_NOT_LOGGED_IN'));
  await session.expect('channel.join', { channelId: 'room' }, refused('JOIN_CHANNEL', 102, 'USER_NOT_LOGGED_IN'));
  await session.expect('renewToken', { token: 't' }, refused('RENEW_TOKEN', 102, 'USER_NOT_LOGGED_IN'));
}

/** Sessions of one page are independent. */
async function many(ctx) {
  const sessions = await Promise.all(Array.from({ length: 20 }, () => ctx.session()));
  const answers = sessions.map((session, i) => session.call('login', { uid: `user${i}` }));
  for (const session of sessions) await session.next('ConnectionStateChanged', CONNECTING);
  for (const session of sessions) await session.next('ConnectionStateChanged', TIMED_OUT);
  for (const answer of answers) equal(await answer, refused('LOGIN', 9, 'TIMEOUT'), 'login');
}

export const scenarios = [
  { name: 'login-timeout', run: timeout },
  { name: 'login-logout', run: logoutWhileConnecting },
  { name: 'login-too-often', run: tooOften },
  { name: 'login-connecting', run: whileConnecting },
  { name: 'login-many', run: many },
];
