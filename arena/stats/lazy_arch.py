"""
Loads arch's bootstraps without its models and plots, which nothing here needs and which take five times as long to load
(statsmodels, matplotlib). The code and results are arch's own.
"""

import importlib.util
import sys
import threading
from types import ModuleType

_loading = threading.Lock()


def bootstrap() -> ModuleType:
    """
    Returns `arch.bootstrap`. Imports it below a package whose `__init__` did not run and removes that package, so that
    a later `import arch` works as usual. Loading takes a third of a second, so only callers that need it load it.
    """
    with _loading:
        if "arch.bootstrap" not in sys.modules:
            kept = sys.modules.get("arch")
            spec = importlib.util.find_spec("arch")
            if kept is None and spec is not None:
                sys.modules["arch"] = importlib.util.module_from_spec(spec)
            try:
                import arch.bootstrap  # noqa: F401
            finally:
                if kept is None:
                    sys.modules.pop("arch", None)
        return sys.modules["arch.bootstrap"]
