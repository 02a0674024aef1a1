"""Messages between two accounts."""

from expect import equal, json_text
from scenarios import scenario

RECEIVED = ('session', 'on_msg_instant_received')


@scenario
async def peer_message(ctx):
    """A message between two accounts, both ways."""
    alice, bob = await ctx.pair()
    await alice.sends(bob.account, 'hello')
    await bob.saw((*RECEIVED, alice.account, 0, 'hello'))
    await bob.sends(alice.account, 'hello yourself')
    await alice.saw((*RECEIVED, bob.account, 0, 'hello yourself'))


@scenario
async def peer_message_notify(ctx):
    """Of the ways to announce a message this SDK understands one: a version, as an array."""
    alice, bob = await ctx.pair()
    # The answer of the first poll after the login has all lines of that time.
    while not bob.received('call2-ret'):
        await ctx.sleep(0.01)
    for number in (1, 2):
        await alice.sends(bob.account, f'message {number}')
        await bob.saw((*RECEIVED, alice.account, 0, f'message {number}'))
    equal(bob.received('notify'), [['msg', 1], ['msg', 2]], 'notifications')


@scenario
async def peer_message_ttl(ctx):
    """The lifetime of a message, in the SDK's form."""
    alice, bob = await ctx.pair()
    await alice.sends(bob.account, 'for a minute', 60)
    await bob.saw((*RECEIVED, alice.account, 0, 'for a minute'))


@scenario
async def peer_message_self(ctx):
    """Applications use a message to themselves as their heartbeat, so it has to come back."""
    alice = await ctx.user('alice')
    for text in ('heartbeat 1', 'heartbeat 2'):
        await alice.sends(alice.account, text)
        await alice.saw((*RECEIVED, alice.account, 0, text))


@scenario
async def peer_message_text(ctx):
    """Texts that a line protocol or an escape too many would damage."""
    alice, bob = await ctx.pair()
    for text in (
        'two  spaces, and one at the end ',
        'line one\nline two\r\n\ttabbed',
        '"quoted" \\ {"json":true} [1,"msg-v2 a b c"]',
        "it's 100%_done",
        'Grüße, 你好, 👩‍💻, \u2028\ue000',
        'msg-v2 x y v1:E:3600 instant 0 not a line',
    ):
        await alice.sends(bob.account, text)
        await bob.saw((*RECEIVED, alice.account, 0, text))


@scenario
async def peer_message_size(ctx):
    """8 KB arrive whole, and a byte more is refused."""
    alice, bob = await ctx.pair()
    for text in ('x' * 8192, '"' * 8192, '你' * 2730):
        await alice.sends(bob.account, text)
        await bob.saw((*RECEIVED, alice.account, 0, text))
    alice.send(bob.account, 'x' * 8193)
    await alice.saw((f'to/{bob.account}', 'on_msg_send_error', 400))


@scenario
async def peer_message_json(ctx):
    """Applications pass objects; the receiver gets their JSON text."""
    alice, bob = await ctx.pair()
    for message in ({'type': 'quiz', 'answers': [1, 2]}, ['a', None], 42, True):
        await alice.sends(bob.account, message)
        await bob.saw((*RECEIVED, alice.account, 0, json_text(message)))


@scenario
async def peer_message_offline(ctx):
    """A message to an offline user is accepted, and waits for the login."""
    alice = await ctx.user('alice')
    await alice.sends(ctx.name('bob'), 'for later')
    await ctx.sleep(0.5)
    bob = await ctx.user('bob')
    await bob.saw((*RECEIVED, alice.account, 0, 'for later'))


@scenario
async def peer_message_burst(ctx):
    """More messages than one answer of the mailbox holds (30), each once and in order.

    The SDK does not poll again by itself: neither after a full answer nor after a notification during a poll. Without
    another notification the rest would wait.
    """
    alice, bob = await ctx.pair()
    texts = [f'message {number}' for number in range(40)]
    for text in texts:
        alice.send(bob.account, text)
    await alice.saw(*((f'to/{bob.account}', 'on_msg_send_success') for _ in texts))
    await bob.saw(*((*RECEIVED, alice.account, 0, text) for text in texts))


@scenario
async def peer_message_waiting(ctx):
    """More messages than one answer holds, waiting for a login."""
    alice = await ctx.user('alice')
    texts = [f'message {number}' for number in range(40)]
    account = ctx.name('bob')
    for text in texts:
        alice.send(account, text)
    await alice.saw(*((f'to/{account}', 'on_msg_send_success') for _ in texts))
    await ctx.sleep(0.5)
    bob = await ctx.user('bob')
    await bob.saw(*((*RECEIVED, alice.account, 0, text) for text in texts))


@scenario
async def user_status(ctx):
    """The online status of a user, as a number."""
    alice, bob = await ctx.pair()
    equal(await alice.status(bob.account), ['', 1], 'of a user who is online')
    equal(await alice.status(ctx.name('nobody')), ['', 0], 'of an unknown user')
    bob.logout()
    await bob.saw(('session', 'on_logout', 101))
    equal(await alice.status(bob.account), ['', 0], 'of a user who has logged out')


@scenario
async def call_unknown(ctx):
    """The SDK's one call to another service is refused with a text, and leaves the session as it was."""
    alice = await ctx.user('alice')
    answer = await alice.answer(lambda callback: alice.session.bc_call('start', '{}', callback))
    equal(answer, ['unknown func user_ext_call', ''], 'what bc_call gives')
    await alice.sends(alice.account, 'still here')
    await alice.saw((*RECEIVED, alice.account, 0, 'still here'))


@scenario
async def relogin_without_duplicates(ctx):
    """A message that has been delivered is not delivered to the next session, although the SDK, which acknowledges
    with its next poll only, has not acknowledged it; later messages are delivered."""
    alice, bob = await ctx.pair()
    await alice.sends(bob.account, 'before')
    await bob.saw((*RECEIVED, alice.account, 0, 'before'))
    await ctx.sleep(0.3)
    bob.cut()
    await ctx.sleep(0.3)
    await alice.sends(bob.account, 'meanwhile')
    bob.login(ctx.token(bob.account))
    await bob.logged_in()
    await bob.saw((*RECEIVED, alice.account, 0, 'meanwhile'))
