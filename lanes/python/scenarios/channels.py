"""Channels: members, messages, attributes."""

from expect import equal, json_text, one_of
from scenarios import scenario


@scenario
async def channel_join(ctx):
    """A new member gets the list with itself. Members get an event, other users do not."""
    await ctx.room()


@scenario
async def channel_join_failed(ctx):
    """A name that cannot be one."""
    alice = await ctx.user('alice')
    name = ctx.name('no room')
    alice.join(name)
    await alice.saw((name, 'on_channel_join_failed', 300))


@scenario
async def channel_join_attributes(ctx):
    """The attributes a channel already has follow the list, each as an update."""
    name = ctx.name('room')
    alice, bob = await ctx.pair()
    room = await alice.joins(name, alice)
    for key, value in (('topic', 'first'), ('topic', 'second'), ('state', '{"open":true}')):
        room.channel.channel_set_attr(key, value)
        await alice.saw((name, 'on_channel_attr_updated', key, value, 'update'))
    await bob.joins(name, alice, bob, attributes=[('topic', 'second'), ('state', '{"open":true}')])
    await alice.saw((name, 'on_channel_user_joined', bob.account, bob.uid))


@scenario
async def channel_leave(ctx):
    """Remaining members get an event for a leave. The SDK calls the leaver's callback before the bridge's answer."""
    name, alice, bob, in_alices, in_bobs = await ctx.room()
    in_bobs.channel.channel_leave()
    await bob.saw((name, 'on_channel_left', 602))
    await alice.saw((name, 'on_channel_user_left', bob.account, bob.uid))
    # A former member gets no more events of the channel.
    equal(await in_alices.say('alone'), ['', {'result': 'ok'}], 'answer of msg_channel_send')
    await alice.saw((name, 'on_msg_channel_received', alice.account, alice.uid, 'alone'))


@scenario
async def channel_logout(ctx):
    """A logout leaves the channel as well."""
    name, alice, bob, _, _ = await ctx.room()
    bob.logout()
    await bob.saw(('session', 'on_logout', 101))
    await alice.saw((name, 'on_channel_user_left', bob.account, bob.uid))


@scenario
async def channel_switch(ctx):
    """A user is in one channel at a time: a join of another one leaves it, without an event for the user."""
    first, second = ctx.name('first'), ctx.name('second')
    alice, bob = await ctx.pair()
    carol = await ctx.user('carol')
    in_first = await bob.joins(first, bob)
    await carol.joins(second, carol)
    await alice.joins(first, alice, bob)
    await bob.saw((first, 'on_channel_user_joined', alice.account, alice.uid))
    await alice.joins(second, alice, carol)
    await bob.saw((first, 'on_channel_user_left', alice.account, alice.uid))
    await carol.saw((second, 'on_channel_user_joined', alice.account, alice.uid))
    equal(await in_first.say('not for alice'), ['', {'result': 'ok'}], 'answer of msg_channel_send')
    await bob.saw((first, 'on_msg_channel_received', bob.account, bob.uid, 'not for alice'))


@scenario
async def channel_message(ctx):
    """A channel message reaches every member, its sender included, in one order."""
    name, alice, bob, in_alices, in_bobs = await ctx.room()

    async def both_saw(sender, *texts):
        for member in (alice, bob):
            events = ((name, 'on_msg_channel_received', sender.account, sender.uid, text) for text in texts)
            await member.saw(*events)

    equal(await in_alices.say('hello room'), ['', {'result': 'ok'}], 'answer of msg_channel_send')
    await both_saw(alice, 'hello room')
    equal(await in_bobs.say('"Grüße", 你好 👋'), ['', {'result': 'ok'}], 'answer of msg_channel_send')
    await both_saw(bob, '"Grüße", 你好 👋')
    texts = [f'line {number}' for number in range(20)]
    for text in texts:
        in_alices.channel.msg_channel_send(text)
    await both_saw(alice, *texts)
    equal(await in_bobs.say({'hand': 'up'}), ['', {'result': 'ok'}], 'answer of msg_channel_send')
    await both_saw(bob, json_text({'hand': 'up'}))


@scenario
async def channel_message_forced(ctx):
    """A message to a channel from outside. Its sender does not get it; a member who sends so does not either."""
    name, alice, bob, _, _ = await ctx.room()
    carol = await ctx.user('carol')
    for sender, text in ((carol, 'from outside'), (bob, 'from inside')):
        answer = await sender.answer(lambda callback: sender.session.send_channel_msg(name, text, callback))
        equal(answer, ['', {'result': 'ok'}], 'answer of send_channel_msg')
        for member in (alice, bob):
            await member.saw((name, 'on_msg_channel_received', sender.account, sender.uid, text))


@scenario
async def channel_attribute(ctx):
    """A set attribute causes one event for every member, the setter included."""
    name, alice, bob, in_alices, in_bobs = await ctx.room()
    for room, key, value, text in (
        (in_alices, 'topic', 'cats', 'cats'),
        (in_bobs, 'topic', 'dogs', 'dogs'),
        # The same value again is still an update.
        (in_bobs, 'topic', 'dogs', 'dogs'),
        (in_alices, 'greeting', '"Grüße" 你好', '"Grüße" 你好'),
        # Applications keep counters in attributes.
        (in_alices, 'count', 7, '7'),
    ):
        room.channel.channel_set_attr(key, value)
        for member in (alice, bob):
            await member.saw((name, 'on_channel_attr_updated', key, text, 'update'))


@scenario
async def channel_delete_attribute(ctx):
    """A deleted attribute causes an event for every member; so does the last one, which is not a clear."""
    name, alice, bob, in_alices, in_bobs = await ctx.room()
    in_alices.channel.channel_set_attr('topic', 'cats')
    in_alices.channel.channel_set_attr('state', 'open')
    in_alices.channel.channel_del_attr('topic')
    in_alices.channel.channel_del_attr('state')
    for member in (alice, bob):
        await member.saw(
            (name, 'on_channel_attr_updated', 'topic', 'cats', 'update'),
            (name, 'on_channel_attr_updated', 'state', 'open', 'update'),
            (name, 'on_channel_attr_updated', 'topic', '', 'del'),
            (name, 'on_channel_attr_updated', 'state', '', 'del'),
        )


@scenario
async def channel_clear_attributes(ctx):
    """Clearing several attributes is one event for every member."""
    name, alice, bob, in_alices, in_bobs = await ctx.room()
    in_alices.channel.channel_set_attr('topic', 'cats')
    in_bobs.channel.channel_set_attr('state', 'open')
    keys = one_of('topic', 'state')
    for member in (alice, bob):
        both = [(name, 'on_channel_attr_updated', keys, one_of('cats', 'open'), 'update')] * 2
        await member.saw(*both)
    in_bobs.channel.channel_clear_attr()
    for member in (alice, bob):
        await member.saw((name, 'on_channel_attr_updated', '', '', 'clear'))
