"""What is being done, as it is done: whoever shows it listens. Nothing hangs on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, str], None]
"""Is told who (a strategy, or "" for the whole) begins with what; "" ends it."""
_listeners: list[Listener] = []


@contextmanager
def told_to(listener: Listener) -> Iterator[None]:
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def step(who: str, what: str) -> None:
    for listener in tuple(_listeners):
        listener(who, what)
