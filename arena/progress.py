"""Reports progress to listeners that show it. No result depends on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, str], None]
"""Called with who (a strategy, or "" for the whole) and the step that begins; an empty step ends it."""
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
