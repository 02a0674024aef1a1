"""Context of a scenario: clients, unique names, and a bridge that it may stop."""

from twisted.internet import defer, reactor

from bridge import start_bridge
from client import Client
from tokens import APP_ID, NO_TOKEN, signaling_token
from vendor import AgoraSignal

# Long enough for a message to come a second time.
SETTLE = 0.5


def sleep(seconds):
    done = defer.Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done


class Context:
    """The world of one run of one scenario."""

    def __init__(self, run, options, lookup, watch):
        self.way = run.way
        self.auth = run.scenario.needs == 'auth'
        self.port = options.auth if self.auth else options.open
        self.lookup = lookup
        self.watch = watch
        self._suffix = run.suffix
        self._sigbridge = options.sigbridge
        self._clients = []
        self._bridges = []

    sleep = staticmethod(sleep)

    def name(self, base):
        """A name of this run alone: scenarios share a server, and a server may outlive many runs."""
        return f'{base}.{self._suffix}'

    def client(self, account):
        """A client for an account, not logged in yet."""
        client = Client(account, AgoraSignal(APP_ID), self)
        self._clients.append(client)
        return client

    def token(self, account):
        """A token with which `account` may log in to this server."""
        return signaling_token(account, 3600) if self.auth else NO_TOKEN

    async def user(self, base):
        """A client with a name of this run, logged in."""
        client = self.client(self.name(base))
        client.login(self.token(client.account))
        await client.logged_in()
        return client

    async def pair(self):
        """Alice and Bob."""
        return await self.user('alice'), await self.user('bob')

    async def room(self):
        """Alice and Bob in a channel: its name, both, and the channel of each."""
        name = self.name('room')
        alice, bob = await self.pair()
        in_alices = await alice.joins(name, alice)
        in_bobs = await bob.joins(name, alice, bob)
        await alice.saw((name, 'on_channel_user_joined', bob.account, bob.uid))
        return name, alice, bob, in_alices, in_bobs

    async def own_bridge(self):
        """A bridge of this run alone, to which its clients go from now on."""
        bridge = await start_bridge(self._sigbridge)
        self._bridges.append(bridge)
        self.port = bridge.port
        return bridge

    async def settle(self):
        """Ends the scenario: an unread event is a failure."""
        await sleep(SETTLE)
        for client in self._clients:
            # The SDK acknowledges with its next question only, which may not come for long. Asked again, a bridge
            # that has lost count would deliver a second time.
            if client.session and client.state == 'LOGINED':
                client.session.schedule_poll()
        await sleep(SETTLE)
        for client in self._clients:
            client.nothing_else()

    def close(self):
        for client in self._clients:
            client.close()
        for bridge in self._bridges:
            bridge.kill()
