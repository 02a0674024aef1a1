"""The vendor's package, untouched, and what this lane sees of it from outside.

Only `requests.get` is replaced, by a function that takes the question for an address to the bridge.
"""

import hashlib
import importlib.metadata
import logging
import re
import sys
from base64 import urlsafe_b64encode
from pathlib import Path
from urllib.parse import urlsplit

# Frames are logged whole, the token among them: the lane reads them and never prints them.
logging.getLogger().addHandler(logging.NullHandler())

import requests
from agorasigsdk.agora_signal import AgoraSignal
from agorasigsdk.call import Call
from agorasigsdk.channel import Channel
from agorasigsdk.login_session import LoginSession
from agorasigsdk.login_session_state import LoginSessionState as State
from agorasigsdk.websocket_client import ClientProtocol
from twisted.logger import globalLogPublisher

PACKAGE = 'agora-signaling-sdk'
RECEIVED = re.compile(r'Received message (.*)$', re.DOTALL)


def refuse_another_package():
    """Raises unless the installed package is the one of requirements.txt, file by file as its wheel has them."""
    pinned = Path(__file__).with_name('requirements.txt').read_text()
    version = re.search(rf'^{PACKAGE}==(\S+)', pinned, re.MULTILINE)[1]
    package = importlib.metadata.distribution(PACKAGE)
    if package.version != version:
        raise RuntimeError(f'{PACKAGE} {package.version} is installed, and {version} is pinned')
    for file in package.files:
        if file.hash is None:
            continue
        digest = hashlib.new(file.hash.mode, file.locate().read_bytes()).digest()
        if urlsafe_b64encode(digest).rstrip(b'=').decode() != file.hash.value:
            raise RuntimeError(f'{file} is not as the package has it')


class Lookup:
    """Takes the SDK's look-ups to a port of this machine, one login at a time."""

    URL = 'http://lbs.sig.agora.io/getaddr?vid='

    def __init__(self):
        self._get = requests.get
        self._port = None
        self.requested = []
        requests.get = self._redirected

    def __call__(self, port, start):
        """Runs `start`, which may look up, with `port` as the bridge; returns its result and the requested URLs.

        The SDK requests inside `login` and waits for the answer, so that no other login can come between.
        """
        self._port, self.requested = port, []
        try:
            return start(), self.requested
        finally:
            self._port = None

    def _redirected(self, url, *args, **kwargs):
        if args or kwargs or self._port is None or not url.startswith(self.URL):
            raise AssertionError(f'an unknown request: {url}, {args}, {kwargs}')
        self.requested.append(url)
        parts = urlsplit(url)
        there = parts._replace(netloc=f'127.0.0.1:{self._port}').geturl()
        # A proxy of this machine has no business here.
        return self._get(there, headers={'host': parts.netloc}, timeout=5, proxies={'http': ''})


class Watch(logging.Handler):
    """Passes log lines of the SDK to their sessions: received frames and errors."""

    def __init__(self):
        super().__init__(logging.INFO)
        self._sessions = {}
        # Errors that belong to no session.
        self.complaints = []
        logger = logging.getLogger('agorasigsdk')
        logger.setLevel(logging.INFO)
        logger.addHandler(self)
        logger.propagate = False
        globalLogPublisher.addObserver(self._twisted)

    def follow(self, session, client):
        """Calls `client.frame` and `client.complain` for events of `session` from now on."""
        self._sessions[session] = client

    def emit(self, record):
        text = record.getMessage()
        client = self._sessions.get(speaker(sys._getframe(1)))
        if record.levelno >= logging.ERROR:
            if client:
                client.complain(text)
            else:
                self.complaints.append(text)
        elif client and (received := RECEIVED.search(text)):
            client.frame(received[1])

    def _twisted(self, event):
        # What the SDK throws in a handler; Twisted ends the connection then.
        if failure := event.get('log_failure'):
            text = f'{failure.type.__name__}: {failure.getErrorMessage()}'
            client = self._sessions.get(thrower(failure))
            if client:
                client.complain(text)
            else:
                self.complaints.append(text)


def speaker(frame):
    """The session of which code is running in `frame` or in one that called it."""
    while frame:
        session = owner(frame.f_locals.get('self'))
        if session:
            return session
        frame = frame.f_back
    return None


def thrower(failure):
    """The session in whose code an exception came up."""
    step = failure.getTracebackObject()
    found = None
    while step:
        found = owner(step.tb_frame.f_locals.get('self')) or found
        step = step.tb_next
    return found


def owner(thing):
    if isinstance(thing, LoginSession):
        return thing
    return thing.session if isinstance(thing, (ClientProtocol, Channel, Call)) else None


def recorder(base, record):
    """An instance of one of the SDK's callback classes, of which every method calls `record(name, *arguments)`."""

    def method(name):
        return lambda self, *args: record(name, *args)

    methods = {name: method(name) for name in vars(base) if name.startswith('on_')}
    return type(base.__name__, (base,), methods)()
