"""The scenarios: a file for each concern, a function for each scenario."""

from collections import namedtuple

Scenario = namedtuple('Scenario', 'name run needs limit')

# By name.
ALL = {}


def scenario(run=None, *, needs='open', limit=20):
    """Makes a function a scenario, named as it is.

    `needs` is the server that it runs against, `open` or `auth`; `limit` is in seconds.
    """

    def add(run):
        name = run.__name__.replace('_', '-')
        assert name not in ALL, name
        ALL[name] = Scenario(name, run, needs, limit)
        return run

    return add(run) if run else add
