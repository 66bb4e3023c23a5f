"""
Everything the arena raises on purpose:

* ArenaError            the arena cannot be used; run.py stops with exit code 2
  - ConfigError         config.json is wrong
  - DataError           candles are missing or wrong
  - LockError           data or contract differ from data.lock.json
  - SealError           a sealed file cannot be opened
  - LedgerError         the ledger cannot be read or written
  - BusyError           the machine was too busy for a strategy to be evaluated
* StrategyError         the strategy's fault; recorded as a failed trial, the next one runs
  - LoadError           it does not import, or is not what its file name says
    . RefusedError      its text alone says so: none of its code ran
  - LimitError          it exceeded time, memory or output
  - BookingError        its orders are impossible in this market, or its figures do not add up
  - IntegrityError      it changed what belongs to the arena
  - CausalityError      it decided with knowledge of the future
  - DeterminismError    two fresh runs with the same candles differ
* SampleError           too few or unusable numbers for this statistic (a ValueError)

A gate that says no is not an error: it is a value.
"""

from datetime import UTC, datetime


class ArenaError(Exception):
    """The arena cannot be used."""


class ConfigError(ArenaError):
    """config.json is wrong."""


class DataError(ArenaError):
    """Candles are missing or wrong."""


class LockError(ArenaError):
    """Data or contract differ from data.lock.json."""


class SealError(ArenaError):
    """A sealed file cannot be opened."""


class LedgerError(ArenaError):
    """The ledger cannot be read or written."""


class BusyError(ArenaError):
    """The machine was too busy for a strategy to be evaluated, which is no finding about it."""


class StrategyError(Exception):
    """The strategy's own fault. `frames` are its own lines of the traceback, outermost first."""

    def __init__(self, message: str, frames: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.frames = frames


class LoadError(StrategyError):
    """The strategy does not import, or is not what its file name says."""


class RefusedError(LoadError):
    """
    The strategy's text alone says that it cannot be evaluated: none of its code ran, so it is no try of the market.
    """


class LimitError(StrategyError):
    """The strategy exceeded time, memory or output."""


class BookingError(StrategyError):
    """The strategy's orders are impossible in this market, or its figures do not add up."""


class IntegrityError(StrategyError):
    """The strategy changed what belongs to the arena."""


class CausalityError(StrategyError):
    """The strategy decided with knowledge of the future."""


class DeterminismError(StrategyError):
    """Two fresh runs with the same candles differ."""


class SampleError(ValueError):
    """Too few or unusable numbers for this statistic."""


def when(ms: int) -> str:
    """An instant as messages name it: UTC, to the minute. Total: one that no calendar has is shown as it is."""
    if not -62_135_596_800_000 <= ms < 253_402_300_800_000:  # the years 1 to 9999
        return f"{ms} ms"
    return f"{datetime.fromtimestamp(ms / 1000, tz=UTC):%Y-%m-%d %H:%M}"
