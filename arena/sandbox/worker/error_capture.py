"""
Errors that FreqTrade swallows or only logs, in the worker: exceptions in callbacks, files that cannot be imported,
missing candles.
"""

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from arena.errors import LoadError, StrategyError


class Notes(logging.Handler):
    """Keeps the first error; `check` raises it."""

    def __init__(self, source: Path, has_candles: Callable[[str, str], bool]) -> None:
        super().__init__(logging.WARNING)
        self.source, self.has_candles = source.resolve(), has_candles
        self.found: StrategyError | None = None

    def listen(self) -> None:
        root = logging.getLogger()
        for handler in list(root.handlers):
            root.removeHandler(handler)
        root.setLevel(logging.WARNING)
        root.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if self.found is not None:
            return
        error = sys.exc_info()[1]
        if record.name == "freqtrade.resolvers.iresolver" and error is not None:
            self.found = LoadError(f"does not import: {type(error).__name__}: {error}", self.frames(error))
        elif record.name == "freqtrade.data.history.datahandlers.idatahandler":
            text = record.getMessage()
            candles = text.removeprefix("No history for ").split(" found")[0]
            if candles != text:
                pair, _, timeframe = candles.replace(" ", "").split(",")
                if not self.has_candles(pair, timeframe):
                    self.found = StrategyError(f"asks for candles that the arena does not have: {candles}")

    def swallowed(self, error: Exception) -> None:
        if self.found is None:
            self.found = StrategyError(f"{type(error).__name__}: {error}, in a callback", self.frames(error))

    def refuse(self, error: StrategyError) -> None:
        if self.found is None:
            self.found = error

    def check(self) -> None:
        if self.found is not None:
            raise self.found

    def frames(self, error: BaseException | None) -> tuple[str, ...]:
        """The strategy's own lines, outermost first."""
        lines: list[str] = []
        while error is not None:
            for frame in traceback.extract_tb(error.__traceback__):
                if frame.filename == str(self.source):
                    lines.append(f"{self.source.name}:{frame.lineno} {frame.name}: {frame.line}")
            if isinstance(error, SyntaxError) and error.filename == str(self.source):
                lines.append(f"{self.source.name}:{error.lineno}: {(error.text or '').strip()}")
            error = error.__cause__ if not lines else None
        return tuple(lines)
