#!/usr/bin/env python3
"""Runs every scenario against running servers, in both of the ways in which the SDK finds one."""

import argparse
import importlib
import json
import sys
import time
import traceback
from collections import namedtuple
from pathlib import Path

HERE = Path(__file__).parent
# More at once only makes the timing of one machine the subject of the test.
AT_ONCE = 24
# `debug` is the SDK's debugging address; `lookup` is what applications do: a question to /getaddr first.
WAYS = ('debug', 'lookup')

Run = namedtuple('Run', 'scenario way suffix')


def read_options():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='exit code: 0 all as expected, 1 a failure or an unexpected pass, 2 wrong usage',
    )
    parser.add_argument('--open', type=int, required=True, metavar='PORT', help='a server that accepts every token')
    parser.add_argument(
        '--auth',
        type=int,
        required=True,
        metavar='PORT',
        help='a server with the test app id and certificate of tokens.py, allow_no_token = false',
    )
    parser.add_argument('--sigbridge', required=True, metavar='FILE', help='the program, for scenarios that stop it')
    parser.add_argument('--only', action='append', metavar='NAME', help='run only this scenario; repeatable')
    parser.add_argument('--way', action='append', choices=WAYS, help='run only in this way; repeatable')
    parser.add_argument(
        '--expected-failures',
        type=Path,
        default=HERE / 'expected-failures.json',
        metavar='FILE',
        help='{name: reason} of expected failures',
    )
    return parser, parser.parse_args()


def load_scenarios():
    """All of scenarios/*.py, by name."""
    import scenarios

    for file in sorted((HERE / 'scenarios').glob('[!_]*.py')):
        importlib.import_module(f'scenarios.{file.stem}')
    return scenarios.ALL


def main():
    parser, options = read_options()
    try:
        from vendor import Lookup, Watch, refuse_another_package

        refuse_another_package()
    except (ImportError, RuntimeError, LookupError) as error:
        parser.error(f'{error}: run pip install --require-hashes -r requirements.txt')
    from twisted.internet import defer, reactor

    scenarios = load_scenarios()
    expected = json.loads(options.expected_failures.read_text())
    # A stale entry would hide that its scenario no longer exists.
    for name in [*(options.only or ()), *(key.split('@')[0] for key in expected)]:
        if name not in scenarios:
            parser.error(f'no scenario named {name}')

    started = format(int(time.time() * 1000), 'x')
    chosen = [scenario for name, scenario in scenarios.items() if not options.only or name in options.only]
    # Those that take long first: all of them take as long as these.
    chosen.sort(key=lambda scenario: -scenario.limit)
    pairs = [(scenario, way) for scenario in chosen for way in options.way or WAYS]
    runs = [Run(scenario, way, f'{started}{index}') for index, (scenario, way) in enumerate(pairs)]
    watch = Watch()
    report = Report(expected)
    outcome = []

    async def all_runs():
        lookup = Lookup()
        slots = defer.DeferredSemaphore(AT_ONCE)
        one = lambda run: defer.ensureDeferred(attempt(run, options, lookup, watch, report))
        await defer.gatherResults([slots.run(one, run) for run in runs])
        for complaint in watch.complaints:
            report.failed += 1
            print(f'not ok: {complaint}')
        print(f'{report.passed} passed, {report.failed} failed')

    def finish(result):
        outcome.append(result)
        reactor.stop()

    reactor.callWhenRunning(lambda: defer.ensureDeferred(all_runs()).addBoth(finish))
    reactor.run()
    if outcome[0] is not None:
        outcome[0].printTraceback(sys.stderr)
        return 1
    return 1 if report.failed else 0


async def attempt(run, options, lookup, watch, report):
    """Runs a scenario once and reports what went wrong, or that nothing did."""
    from twisted.internet import defer, reactor

    from context import Context
    from expect import Unexpected

    begin = time.monotonic()
    context = Context(run, options, lookup, watch)

    async def whole():
        await run.scenario.run(context)
        await context.settle()

    problem = None
    try:
        await defer.ensureDeferred(whole()).addTimeout(run.scenario.limit, reactor)
    except Unexpected as error:
        problem = str(error)
    except defer.TimeoutError:
        problem = f'not finished after {run.scenario.limit} s'
    except Exception as error:
        # Not an expectation, so a mistake in the lane itself: where it happened is what helps.
        problem = ' '.join(line.strip() for line in traceback.format_exception(error)[-3:])
    finally:
        context.close()
    report.print_result(run, problem, time.monotonic() - begin)


class Report:
    """What the lane prints, a line for each run."""

    def __init__(self, expected):
        self.passed = 0
        self.failed = 0
        self._expected = expected

    def print_result(self, run, problem, seconds):
        name = f'{run.scenario.name}@{run.way}'
        reason = self._expected.get(name) or self._expected.get(run.scenario.name)
        if bool(problem) == bool(reason):
            self.passed += 1
            note = f' # fails as expected: {reason}' if reason else ''
            print(f'ok {name} ({seconds * 1000:.0f}){note}', flush=True)
        else:
            self.failed += 1
            problem = problem or f'passes, but is listed as an expected failure ({reason})'
            print(f'not ok {name}: {problem}', flush=True)


if __name__ == '__main__':
    sys.exit(main())
