"""A bridge as a process of its own, which a scenario can stop."""

import re
import signal

from twisted.internet import defer, error, protocol, reactor

from expect import Unexpected

PATIENCE = 10


async def start_bridge(program):
    """Runs `program serve` on any free port and waits for the line with the port."""
    bridge = Bridge()
    arguments = [program, 'serve', '--listen', '127.0.0.1:0']
    # What it prints is read here; its settings are the defaults.
    reactor.spawnProcess(bridge, program, arguments, env={'RUST_LOG': 'info', 'NO_COLOR': '1'})
    bridge.ready.addTimeout(PATIENCE, reactor)
    await bridge.ready
    return bridge


class Bridge(protocol.ProcessProtocol):
    """A running bridge."""

    ADDRESS = re.compile(r"WebSocket clients addr=127\.0\.0\.1:(\d+)")

    def __init__(self):
        self.port = 0
        self.ready = defer.Deferred()
        self.ended = defer.Deferred()
        self._log = ''

    def stop(self):
        """Stops it by SIGTERM, as a service manager does."""
        self.transport.signalProcess(signal.SIGTERM)

    def kill(self):
        try:
            self.transport.signalProcess('KILL')
        except error.ProcessExitedAlready:
            pass

    def errReceived(self, data):
        self._log += data.decode(errors='replace')
        address = self.ADDRESS.search(self._log)
        if address and not self.ready.called:
            self.port = int(address[1])
            self.ready.callback(None)

    def processEnded(self, reason):
        if not self.ready.called:
            self.ready.errback(Unexpected(f'the bridge ended: {self._log}'))
        self.ended.callback(reason.value.exitCode)
