"""The SDK as a scenario sees it: every callback recorded in order."""

import json

from twisted.internet import defer, reactor

from expect import ANY_TEXT, ANY_UID, Matcher, Unexpected, equal, same, show_event
from vendor import Call, Channel, LoginSession, State, recorder

PATIENCE = 5.0
# Events of a message; only the last of several counts.
STORY = 15
ANY_LIST = Matcher('a list', lambda got: type(got) is list)


class Room:
    """A channel that a client has joined."""

    def __init__(self, client):
        self._client = client
        # The SDK's object.
        self.channel = None

    async def say(self, message):
        """Sends a message to the channel; gives err and the JSON."""
        send = self.channel.msg_channel_send
        return await self._client.answer(lambda callback: send(message, (callback, [])))


class Client:
    """One account.

    An event is `(target, callback, *arguments)`; the target is `session`, a channel's name, `channel/peer` for a call,
    or `sdk` for what should never happen there. The arguments are those behind the session (and behind the channel or
    call) that every callback begins with: these are checked here. A scenario reads the events with `saw`, in order and
    without gaps.
    """

    def __init__(self, account, signal, world):
        self.account = account
        self.uid = 0
        self.session = None
        self.rings = []
        # Received frames, from the SDK's log.
        self.frames = []
        self.lookups = []
        self._signal = signal
        self._world = world
        self._events = []
        self._read = 0
        self._waiting = None

    # Session

    def login(self, token):
        """Starts a login; the outcome is an event, or nothing."""
        callbacks = recorder(LoginSession.LoginCallback, self._of_session)

        def start():
            if self._world.way == 'lookup':
                return self._signal.login(self.account, token, callbacks)
            address = [('127.0.0.1', self._world.port)]
            return self._signal.login(self.account, token, callbacks, is_debugging=True, debug_params=address)

        self.session, self.lookups = self._world.lookup(self._world.port, start)
        self._world.watch.follow(self.session, self)

    async def logged_in(self):
        """Expects the login to succeed, and learns the uid under which others will see this account."""
        [(_, _, uid)] = await self.saw(('session', 'on_login_success', ANY_UID))
        if self.uid:
            equal(uid, self.uid, f"{self.account}'s uid at its next login")
        self.uid = uid

    @property
    def state(self):
        """INIT, CONNECTING, LOGINED, LOGOUT or LOGINFAILED."""
        names = {value: name for name, value in vars(State).items() if name.isupper()}
        return names[self.session.state]

    def logout(self):
        self.session.logout()

    def cut(self):
        """Ends the connection as a lost network does."""
        self.session.current_session.transport.abortConnection()

    def close(self):
        if self.session and self.session.current_session:
            self.cut()

    # Messages

    def send(self, peer, message, *ttl):
        """Sends a peer message; its outcome is an event of `to/PEER`."""
        callbacks = recorder(LoginSession.MessageCallback, self._of_message(peer))
        self.session.msg_instant_send(peer, message, callbacks, *ttl)

    async def sends(self, peer, message, *ttl):
        """Sends a peer message that the server must acknowledge."""
        self.send(peer, message, *ttl)
        await self.saw((f'to/{peer}', 'on_msg_send_success'))

    async def answer(self, start):
        """Calls `start` with a callback, and gives the arguments with which the SDK calls that, once."""
        answer = defer.Deferred()

        def callback(*args):
            if answer.called:
                self._record('sdk', 'second answer', *args)
            else:
                answer.callback(list(args))

        start(callback)
        answer.addTimeout(PATIENCE, reactor)
        try:
            return await answer
        except defer.TimeoutError:
            raise Unexpected(f'{self.account}: no answer in {PATIENCE} s{self._story()}') from None

    async def call2(self, function, **args):
        """Calls anything of the server, as the SDK's own methods do; gives err and the JSON."""
        args['line'] = self.session.line
        return await self.answer(lambda callback: self.session.call2(function, args, (callback, [])))

    async def status(self, account):
        """What `query_user_status` gives: err and status."""
        return await self.answer(lambda callback: self.session.query_user_status(account, callback))

    # Channels

    def join(self, name):
        """Joins a channel; the outcome is events."""
        room = Room(self)
        callbacks = recorder(Channel.ChannelCallback, self._of_channel(name, room))
        room.channel = self.session.channel_join(name, callbacks)
        return room

    async def joins(self, name, *members, attributes=()):
        """Joins and expects the answer: joined, then `members` in any order, then `attributes` in any order."""
        room = self.join(name)
        [_, (_, _, accounts, uids)] = await self.saw(
            (name, 'on_channel_joined'),
            (name, 'on_channel_user_list', ANY_LIST, ANY_LIST),
        )
        got = sorted(zip(accounts, uids))
        equal(got, sorted((member.account, member.uid) for member in members), f'members of {name}')
        seen = await self.saw(*((name, 'on_channel_attr_updated', ANY_TEXT, ANY_TEXT, 'update') for _ in attributes))
        equal(sorted((key, value) for _, _, key, value, _ in seen), sorted(attributes), f'attributes of {name}')
        return room

    # Calls

    def invite(self, channel, peer, extra):
        """Invites `peer`; the outcome is events."""
        callbacks = recorder(Call.CallCallback, self._of_call(channel, peer))
        return self.session.channel_invite_user_2(channel, peer, extra, callbacks)

    async def rung(self, channel, peer, extra):
        """Expects an invitation of the client `peer`, and gives the SDK's Call object for it."""
        ring = {'channel': channel, 'peer': peer.account, 'peeruid': peer.uid, 'extra': extra}
        await self.saw(('session', 'on_invite_received', ring))
        return self.rings.pop(0)

    # Events

    async def saw(self, *expected, patience=PATIENCE):
        """Expects exactly these events next, in this order, and returns them as recorded."""
        start = self._read
        deadline = reactor.seconds() + patience
        for index, event in enumerate(expected, start):
            while len(self._events) <= index and reactor.seconds() < deadline:
                await self._next(deadline)
            got = self._events[index] if index < len(self._events) else None
            if got is None or not same(got, event):
                shown = show_event(got) if got else f'nothing in {patience} s'
                raise Unexpected(f'{self.account}: expected {show_event(event)}, got {shown}{self._story()}')
        self._read = start + len(expected)
        return self._events[start : self._read]

    def nothing_else(self):
        """Fails when an event is left that no `saw` has read: this is how "exactly once" is checked."""
        if len(self._events) > self._read:
            unread = show_event(self._events[self._read])
            raise Unexpected(f'{self.account}: unexpected {unread}{self._story()}')

    def frame(self, text):
        """Takes a frame that the SDK has logged."""
        try:
            self.frames.append(json.loads(text))
        except ValueError:
            self.complain(f'not JSON: {text}')

    def received(self, name):
        """The second elements of the frames of a name."""
        return [frame[1] for frame in self.frames if frame[0] == name]

    def complain(self, text):
        self._record('sdk', 'error', text)

    def _record(self, target, callback, *args):
        self._events.append((target, callback, *args))
        if self._waiting and not self._waiting.called:
            self._waiting.callback(None)

    def _of_session(self, callback, session, *args):
        self._is('session', callback, session, self.session)
        self._record('session', callback, *map(self._plain, args))

    def _of_message(self, peer):
        def record(callback, session, *args):
            self._is(f'to/{peer}', callback, session, self.session)
            self._record(f'to/{peer}', callback, *args)

        return record

    def _of_channel(self, name, room):
        def record(callback, session, channel, *args):
            self._is(name, callback, session, self.session)
            self._is(name, callback, channel, room.channel)
            self._record(name, callback, *args)

        return record

    def _of_call(self, channel, peer):
        def record(callback, session, call, *args):
            self._is(f'{channel}/{peer}', callback, session, self.session)
            self._is(f'{channel}/{peer}', callback, (call.channel, call.peer), (channel, peer))
            self._record(f'{channel}/{peer}', callback, *args)

        return record

    def _is(self, target, callback, got, expected):
        # A session that logs in at once would call before its constructor has returned it; none does.
        if got != expected:
            self.complain(f'{target} {callback}: {got} in place of {expected}')

    # A Call is put aside for `rung` and recorded as the fields an application reads.
    def _plain(self, value):
        if not isinstance(value, Call):
            return value
        value.set_callback(recorder(Call.CallCallback, self._of_call(value.channel, value.peer)))
        self.rings.append(value)
        return {'channel': value.channel, 'peer': value.peer, 'peeruid': value.peeruid, 'extra': value.extra}

    async def _next(self, deadline):
        self._waiting = defer.Deferred()
        timer = reactor.callLater(max(0, deadline - reactor.seconds()), self._record_nothing)
        await self._waiting
        if timer.active():
            timer.cancel()

    def _record_nothing(self):
        if not self._waiting.called:
            self._waiting.callback(None)

    def _story(self):
        events = [show_event(event) for event in self._events[-STORY:]]
        left_out = len(self._events) - len(events)
        more = f'{left_out} more, then ' if left_out else ''
        return f'; all events so far: {more}{", ".join(events) or "none"}'
