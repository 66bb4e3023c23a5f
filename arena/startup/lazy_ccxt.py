"""
Imports ccxt without the hundred exchanges that an arena does not trade: they take most of the time of FreqTrade's
import.

Import this before FreqTrade. From then on an exchange's module is an empty stand-in until `load` imports the real one.
Names, errors and base classes of ccxt are always the real ones. Only workers do this; prepare.py's download uses all of
ccxt.

`rfc3987_syntax`, which compiles grammars of web addresses at import, is treated as not installed: jsonschema, which
checks FreqTrade's configuration, does without it.
"""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")
NO_EXCHANGES = {"abstract", "async_support", "base", "pro", "static_dependencies", "prediction", "protobuf", "test"}
"""Modules of these packages that are no exchanges."""


NOT_NEEDED = frozenset({"rfc3987_syntax"})
"""Treated as not installed. Their import takes two CPU seconds, as long as the rest of FreqTrade."""


class _Unused(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _Finder(MetaPathFinder, Loader):
    active = True

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname in NOT_NEEDED:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        package, _, name = fullname.rpartition(".")
        return ModuleSpec(fullname, self) if self.active and package in PACKAGES and name not in NO_EXCHANGES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Unused(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """A stand-in has no code to run."""


_finder = _Finder()


def install() -> None:
    """Make exchanges stand-ins and NOT_NEEDED absent from here on. Has no effect once ccxt is imported."""
    if "ccxt" not in sys.modules:
        sys.meta_path.insert(0, _finder)


def _show_classes(package: str) -> None:
    """
    In ccxt an exchange's class has the same attribute as its module: replace the module, which an import puts there, by
    the class.
    """
    for name, module in list(sys.modules.items()):
        parent, _, exchange = name.rpartition(".")
        if parent == package and not isinstance(module, _Unused) and isinstance(getattr(module, exchange, None), type):
            setattr(sys.modules[package], exchange, getattr(module, exchange))


def load(exchange: str) -> None:
    """Load the real classes of an exchange, and of those from which it derives, into ccxt. Unknown names do nothing."""
    unused = {name: module for name, module in sys.modules.items() if isinstance(module, _Unused)}
    if f"ccxt.{exchange}" not in unused:
        return
    for name in unused:
        del sys.modules[name]
    _finder.active = False
    try:
        for package in PACKAGES:
            try:
                importlib.import_module(f"{package}.{exchange}")
            except ModuleNotFoundError:
                continue  # not every exchange has all three
            _show_classes(package)
    finally:
        _finder.active = True
        for name, module in unused.items():
            sys.modules.setdefault(name, module)
