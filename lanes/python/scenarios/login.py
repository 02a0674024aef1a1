"""Logins, good and bad, and ends of a session."""

import json

from expect import ANY_TEXT, ANY_UID, containing, equal, json_text, one_of
from scenarios import scenario
from tokens import APP_ID, NO_TOKEN, signaling_token


@scenario
async def login(ctx):
    """Found, connected, logged in: the answer is the first frame of all."""
    alice = ctx.client(ctx.name('alice'))
    alice.login(ctx.token(alice.account))
    equal(alice.state, 'CONNECTING', 'state while logging in')
    await alice.logged_in()
    equal(alice.state, 'LOGINED', 'state after on_login_success')
    lookups = [f'http://lbs.sig.agora.io/getaddr?vid={APP_ID}'] if ctx.way == 'lookup' else []
    equal(alice.lookups, lookups, 'look-ups')
    name, (err, text) = alice.frames[0]
    equal([name, err], ['login_ret', ''], 'the first frame')
    equal(json.loads(text), containing(result='ok', uid=ANY_UID, line=ANY_TEXT), 'the content of login_ret')


@scenario(needs='auth')
async def token_good(ctx):
    """A token made with the certificate opens the door, and the session behind it works."""
    alice = ctx.client(ctx.name('alice'))
    alice.login(ctx.token(alice.account))
    await alice.logged_in()
    await alice.sends(alice.account, 'inside')
    await alice.saw(('session', 'on_msg_instant_received', alice.account, 0, 'inside'))


async def refused(ctx, account, token, reason):
    """The SDK has no callback for a refusal: its application gets none, now and later."""
    alice = ctx.client(account)
    alice.login(token)
    await ctx.sleep(1)
    equal(alice.state, one_of('CONNECTING', 'LOGOUT'), 'state after a refusal')
    failed = json_text({'result': 'failed', 'reason': reason})
    equal(alice.frames, [['login_ret', [reason, failed]]], 'frames')


@scenario(needs='auth')
async def token_expired(ctx):
    """A token of which the time is over."""
    account = ctx.name('alice')
    await refused(ctx, account, signaling_token(account, -60), 'TokenErrorExpired')


@scenario(needs='auth')
async def token_wrong(ctx):
    """A token made with another certificate."""
    account = ctx.name('alice')
    await refused(ctx, account, signaling_token(account, 3600, '0' * 32), 'TokenErrorDigest')


@scenario(needs='auth')
async def token_foreign(ctx):
    """A valid token of another account."""
    await refused(ctx, ctx.name('alice'), signaling_token(ctx.name('bob'), 3600), 'TokenErrorDigest')


@scenario(needs='auth')
async def token_none(ctx):
    """No token, where tokens are checked."""
    await refused(ctx, ctx.name('alice'), NO_TOKEN, 'TokenErrorNotAllowed')


@scenario(needs='auth')
async def account_illegal(ctx):
    """A space in the account: lines between server and client are split at spaces."""
    account = ctx.name('al ice')
    await refused(ctx, account, signaling_token(account, 3600), 'wrong account')


@scenario
async def logout(ctx):
    """A logout is confirmed, the bridge hangs up, and the account can come back at once with the uid it had."""
    alice = await ctx.user('alice')
    connection = alice.session.current_session
    alice.logout()
    await alice.saw(('session', 'on_logout', 101))
    equal(alice.state, 'LOGOUT', 'state after on_logout')
    # The SDK leaves its socket open and forgets it.
    for _ in range(20):
        if connection.state == connection.STATE_CLOSED:
            break
        await ctx.sleep(0.05)
    equal(connection.state == connection.STATE_CLOSED, True, 'closed by the bridge')
    alice.login(ctx.token(alice.account))
    await alice.logged_in()


@scenario
async def kicked(ctx):
    """The newest login wins. To this SDK that is a `close` frame, after which it is silent for ever."""
    first = await ctx.user('alice')
    # Two sockets within a second are the racing pair of one client, not a second client.
    await ctx.sleep(1.5)
    second = await ctx.user('alice')
    equal(second.uid, first.uid, 'uid of the second login')
    await ctx.sleep(1)
    equal(first.received('close'), [''], 'close frames')
    equal([first.state, second.state], ['LOGOUT', 'LOGINED'], 'state of both')

    bob = await ctx.user('bob')
    await bob.sends(second.account, 'to the second')
    await second.saw(('session', 'on_msg_instant_received', bob.account, 0, 'to the second'))


@scenario(limit=60)
async def ping(ctx):
    """The SDK counts its pings and ends the session when an answer is more than three behind.

    So it takes four of them, ten seconds apart, to distinguish an echo from a constant number.
    """
    alice = await ctx.user('alice')
    await ctx.sleep(42)
    equal(alice.received('pong'), [0, 1, 2, 3], 'pongs')
    equal(alice.state, 'LOGINED', 'state after four pings')
    await alice.sends(alice.account, 'still here')
    await alice.saw(('session', 'on_msg_instant_received', alice.account, 0, 'still here'))


@scenario
async def drain(ctx):
    """A bridge that stops sends `close` to its clients first."""
    bridge = await ctx.own_bridge()
    alice, bob = await ctx.pair()
    bridge.stop()
    equal(await bridge.ended, one_of(0), 'exit code of the bridge')
    await ctx.sleep(0.2)
    for client in (alice, bob):
        equal(client.received('close'), [''], f'close frames of {client.account}')
        equal(client.state, 'LOGOUT', f'state of {client.account}')
