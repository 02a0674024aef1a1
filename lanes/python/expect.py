"""Comparison of the SDK's callbacks with a scenario's expectations."""

import json


class Unexpected(Exception):
    """A failed expectation; its text is all a reader gets to see."""


class Matcher:
    """Stands for every value for which `test` holds; `label` stands for it in messages."""

    def __init__(self, label, test):
        self.label = label
        self.test = test

    def __repr__(self):
        return f'<{self.label}>'


# A uid as every client can hold it: a positive signed 32-bit integer.
ANY_UID = Matcher('a uid', lambda got: type(got) is int and 0 < got <= 0x7FFF_FFFF)

ANY_TEXT = Matcher('a text', lambda got: type(got) is str)


def one_of(*values):
    """One of these values."""
    return Matcher(' or '.join(map(repr, values)), lambda got: any(same(got, value) for value in values))


def in_any_order(*values):
    """The same elements in any order."""

    def test(got):
        return (
            type(got) is list
            and len(got) == len(values)
            and all(any(same(element, value) for element in got) for value in values)
        )

    return Matcher(f'{list(values)} in any order', test)


def json_text(value):
    """A text that is JSON for `value`, in any spelling."""

    def test(got):
        try:
            return type(got) is str and same(json.loads(got), value)
        except ValueError:
            return False

    return Matcher(f'JSON text of {value!r}', test)


def containing(**fields):
    """A dict with at least these entries."""
    return Matcher(
        f'a dict with {fields!r}',
        lambda got: type(got) is dict and all(key in got and same(got[key], fields[key]) for key in fields),
    )


def same(got, expected):
    """Whether both are equal and of the same types: to Python, 1, 1.0 and True are equal."""
    if isinstance(expected, Matcher):
        return expected.test(got)
    if type(got) is not type(expected):
        return False
    if isinstance(expected, (list, tuple)):
        return len(got) == len(expected) and all(map(same, got, expected))
    if isinstance(expected, dict):
        return got.keys() == expected.keys() and all(same(got[key], expected[key]) for key in expected)
    return got == expected


def equal(got, expected, what):
    """Fails unless `got` is `expected`."""
    if not same(got, expected):
        raise Unexpected(f'{what}: expected {expected!r}, got {got!r}')


def show_event(event):
    """`target callback(arguments)` of one recorded or expected event."""
    target, callback, *args = event
    return f'{target} {callback}({", ".join(map(repr, args))})'
