"""How the commands tell what went wrong."""

import sys
from collections.abc import Callable

from arena.errors import ArenaError


def told(command: Callable[[], int], name: str, kept: str) -> int:
    """
    Run a command and return its exit code; what goes wrong is told in one line on standard error.

    2 for an ArenaError or an OSError, such as a full disk; 130 after Ctrl-C. `kept` says what was not lost.
    """
    try:
        return command()
    except ArenaError as error:
        print(f"{name}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{name}: {error}. {kept}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{name}: interrupted. {kept}", file=sys.stderr)
        return 130
    return 2
