"""Calls.

This SDK sends the invitation's extra with every answer, in place of the application's: the other side always gets
the former.
"""

from expect import ANY_TEXT, containing, equal, json_text
from scenarios import scenario
from twisted.internet import reactor

EXTRA = '{"video":true,"who":"Grüße \\"x\\" 100%_"}'


class Parties:
    """Alice, who calls Bob, and the call as both see it."""

    def __init__(self, ctx, alice, bob):
        self.room = ctx.name('room_1')
        self.alice = alice
        self.bob = bob

    async def caller_saw(self, callback, *args, **options):
        await self.alice.saw((f'{self.room}/{self.bob.account}', callback, *args), **options)

    async def callee_saw(self, callback, *args):
        await self.bob.saw((f'{self.room}/{self.alice.account}', callback, *args))

    async def ring(self, extra=EXTRA):
        """The call of both sides, ringing."""
        calling = self.alice.invite(self.room, self.bob.account, extra)
        ringing = await self.bob.rung(self.room, self.alice, extra)
        await self.caller_saw('on_invite_received_by_peer')
        return calling, ringing


async def parties(ctx):
    return Parties(ctx, *await ctx.pair())


async def answered(ctx):
    both = await parties(ctx)
    calling, ringing = await both.ring()
    ringing.accept('yes')
    await both.caller_saw('on_invite_accepted_by_peer', EXTRA)
    return both, calling, ringing


@scenario
async def invite_accept(ctx):
    """An answered call. The callee's own application gets no callback for its answer."""
    await answered(ctx)


@scenario
async def invite_accept_bare(ctx):
    """Invited with an empty extra."""
    both = await parties(ctx)
    _, ringing = await both.ring('')
    ringing.accept()
    await both.caller_saw('on_invite_accepted_by_peer', '')


@scenario
async def invite_refuse(ctx):
    """A call that is turned down."""
    both = await parties(ctx)
    _, ringing = await both.ring()
    ringing.refuse('{"status":1}')
    await both.caller_saw('on_invite_refused_by_peer', EXTRA)


@scenario
async def invite_again(ctx):
    """The same pair calls twice: the second call is a call of its own."""
    both = await parties(ctx)
    for extra in ('first', 'second'):
        _, ringing = await both.ring(extra)
        ringing.refuse()
        await both.caller_saw('on_invite_refused_by_peer', extra)


@scenario
async def invite_cancel(ctx):
    """The caller hangs up while it rings."""
    both = await parties(ctx)
    calling, _ = await both.ring()
    calling.end('changed my mind')
    await both.caller_saw('on_invite_end_by_myself', 'changed my mind')
    await both.callee_saw('on_invite_end_by_peer', EXTRA)


@scenario
async def invite_end_ringing(ctx):
    """The callee ends what it could have refused: the caller sees an end, and no refusal besides."""
    both = await parties(ctx)
    _, ringing = await both.ring()
    ringing.end('not now')
    await both.callee_saw('on_invite_end_by_myself', 'not now')
    await both.caller_saw('on_invite_end_by_peer', EXTRA)


@scenario
async def invite_end_by_caller(ctx):
    """An answered call, ended by the caller."""
    both, calling, _ = await answered(ctx)
    calling.end('done')
    await both.caller_saw('on_invite_end_by_myself', 'done')
    await both.callee_saw('on_invite_end_by_peer', EXTRA)


@scenario
async def invite_end_by_callee(ctx):
    """An answered call, ended by the callee."""
    both, _, ringing = await answered(ctx)
    ringing.end('done')
    await both.callee_saw('on_invite_end_by_myself', 'done')
    await both.caller_saw('on_invite_end_by_peer', EXTRA)


@scenario
async def invite_end_as_java(ctx):
    """The family's other end of a call, `call_bye`, which Java sends: with both numbers, without an extra."""
    both, _, _ = await answered(ctx)
    names = dict(channelName=both.room, srcNum=both.bob.account, destNum=both.alice.account)
    equal(await both.bob.call2('call_bye', **names), ['', containing(result='ok')], 'answer of call_bye')
    await both.caller_saw('on_invite_end_by_peer', '')


@scenario
async def invite_dtmf(ctx):
    """A digit during a call. Other clients can send it, and this one can receive it."""
    both, _, _ = await answered(ctx)
    for digit in ('5', '#'):
        extra = f'{{"msgtype":"dtmf","msgdata":"{digit}"}}'
        await both.alice.call2('voip_invite_msg', channelName=both.room, peer=both.bob.account, extra=extra)
        await both.callee_saw('on_invite_msg', json_text({'msgtype': 'dtmf', 'msgdata': digit}))


@scenario
async def invite_offline(ctx):
    """A caller who requires an online peer gets a failure at once."""
    alice = await ctx.user('alice')
    room, nobody = ctx.name('room'), ctx.name('nobody')
    alice.invite(room, nobody, '{"_require_peer_online":1}')
    await alice.saw((f'{room}/{nobody}', 'on_invite_failed', 700))


@scenario
async def invite_online(ctx):
    """With the same option a call reaches an online peer."""
    both = await parties(ctx)
    await both.ring('{"_require_peer_online":1}')


@scenario
async def invite_timeout(ctx):
    """A call without an answer: the caller gets the timeout that it requested, and the callee stops ringing."""
    both = await parties(ctx)
    await both.ring('{"_timeout":2}')
    begin = reactor.seconds()
    await both.caller_saw('on_invite_failed', 700)
    waited = reactor.seconds() - begin
    equal(1.5 < waited < 3, True, f'about 2 s until on_invite_failed, not {waited:.1f}')
    await both.callee_saw('on_invite_end_by_peer', ANY_TEXT)


@scenario
async def relogin_without_stale_calls(ctx):
    """Events of a call of the last session are not sent to the next one, whose SDK would fail.

    The invitation was delivered but not acknowledged, and the end of the call came when the callee was away.
    """
    both = await parties(ctx)
    calling, _ = await both.ring()
    both.bob.cut()
    await ctx.sleep(0.3)
    calling.end()
    await both.caller_saw('on_invite_end_by_myself', '')
    await ctx.sleep(0.3)
    both.bob.login(ctx.token(both.bob.account))
    await both.bob.logged_in()
    await both.alice.sends(both.bob.account, 'welcome back')
    await both.bob.saw(('session', 'on_msg_instant_received', both.alice.account, 0, 'welcome back'))
    # Both sides have the next call.
    await both.ring('again')
