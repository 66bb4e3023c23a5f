"""Small prepared arenas in temporary folders: the real preparation, the real workers, little data."""

import contextlib
import copy
import fcntl
import hashlib
import importlib.util
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import rapidjson
from conftest import SHARED

from arena import settings
from arena.accounting import booking
from arena.checks.lookahead import Case
from arena.evaluation import batch, engines, figures
from arena.evaluation.context import EvaluationContext
from arena.ledger import anchor, data_lock, strategy_files
from arena.ledger.store import LEDGER
from arena.preparation import dataset
from arena.preparation.sources import Source
from arena.records import Result
from arena.sandbox import client
from arena.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = rapidjson.loads((ROOT / "config.json").read_text())

SMALL = {
    "exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
    "max_open_trades": 2,
    "arena": {
        "warmup_from": "20210101",
        "windows": {"spring": "20210301-20210601", "summer": "20210601-20210901"},
        "validation": "20210901-20211001",
        "holdout": "20211001-20211101",
    },
}
"""Two pairs, half a year in two windows, two months of history; validation and holdout of a month."""

SHORT = {
    "warmup_from": "20210201",
    "windows": {"spring": "20210301-20210501"},
    "validation": "20210501-20210601",
    "holdout": None,
}
"""
The section "arena" of two months in one window, in which `strategy` trades sixty times: for tests that run FreqTrade's
loop often.
"""


def configured(folder: Path, **changes: Any) -> Settings:
    """A repository with the shipped config.json, changed by SMALL and then by `changes`; "arena" is merged by key."""
    config = copy.deepcopy(DEFAULT)
    for layer in (SMALL, changes):
        section = config["arena"] | layer.get("arena", {})
        config |= {**layer, "arena": section}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "user_data" / "strategies").mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    return settings.load(folder / "config.json")


def prepared(folder: Path, source: dict[str, Any] | None = None, **changes: Any) -> Settings:
    """
    As `configured`, with candles from the sample market, or from the source described.

    The same candles are prepared once for all tests and copied. A copy has its own files, lock and ledger; the keys of
    sealed ranges are shared.
    """
    arena = configured(folder, **changes)
    origin = dataset.source_from(source or {"kind": "sample", "market": "market", "seed": 1}, arena)
    template = settings.load(_template(arena, origin) / "config.json")
    shutil.copytree(template.root / data_lock.DATA, arena.root / data_lock.DATA, dirs_exist_ok=True)
    made = data_lock.renew(data_lock.read(template.root), arena)
    data_lock.write(arena.root, made)
    dataset.note_contract(arena, made, [f"data prepared from {origin.label}"])
    return arena


def _template(arena: Settings, origin: Source) -> Path:
    """A folder that is prepared with these candles."""
    asked = dataset.request(arena, origin) | {"source": origin.description}

    def prepare(folder: Path) -> None:
        (folder / "user_data").mkdir()
        shutil.copy(arena.root / "config.json", folder)
        dataset.prepare(settings.load(folder / "config.json"), origin, None, lambda line: None)

    return made_once(asked, prepare)


def made_once(what: Any, make: Callable[[Path], Any]) -> Path:
    """
    A folder that `make` has filled, once for all processes of this test run; `what` says in JSON what is in it. Whoever
    changes it changes a copy.
    """
    name = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(os.environ[SHARED], name)
    with folder.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not folder.with_suffix(".done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            folder.with_suffix(".done").touch()
    return folder


def begin_anew(root: Path) -> None:
    """Without its ledger, as if nothing had been recorded in this folder yet."""
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (root / "user_data" / name).unlink(missing_ok=True)
    anchor.forget(root.resolve() / LEDGER)


def evaluated(file: Path, arena: EvaluationContext) -> Result:
    """One file as run.py evaluates it."""
    return batch.evaluate(file, arena, strategy_files.head(arena.settings.root))


def cased(file: Path, arena: EvaluationContext) -> Case:
    """One file after its first run, before anything more is asked of it. The file is removed."""
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    file.unlink()
    claim = client.backtest(
        told, arena.settings, client.Task("backtest", arena.settings.search, arena.markets), arena.tables
    )
    limits = {"wallet": arena.settings.wallet, "fee": arena.settings.fee, "slots": arena.settings.max_open_trades}
    book = booking.book(arena.market, claim.orders, **limits)
    booking.reconcile(book, claim)
    return figures.case_of(told, arena, figures.Account(claim, engines.engine_of(told, arena, claim), book))


def script(name: str) -> ModuleType:
    """A command of the repository as a module: `judge` alone would be the package."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", ROOT / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checkout(folder: Path) -> Path:
    """A copy of what the repository's commands need, for tests that start them as a user does."""
    for name in ("arena", "judge", "examples", "prepare.py", "run.py", "config.json"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    (folder / "user_data" / "strategies").mkdir(parents=True)
    return folder


def sampled(names: Iterable[Any], always: set[Any], ci: set[Any] | None = None) -> list[Any]:
    """Parameters of a test: those in `always` run always, those in `ci` (None: all) are slow, the others nightly."""
    names = list(names)
    ci = set(names) if ci is None else ci
    assert always | ci <= set(names)
    marks = {name: () if name in always else pytest.mark.slow if name in ci else pytest.mark.nightly for name in names}
    return [pytest.param(name, marks=marks[name]) for name in names]


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def command(cli: Callable[[], int], folder: Path, *words: str, stdin: str = "") -> Done:
    """A command in this process, started in `folder`: what it would return, print and complain."""
    out, err, here = io.StringIO(), io.StringIO(), Path.cwd()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", list(words))
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        os.chdir(folder)
        try:
            code = cli()
        finally:
            os.chdir(here)
    return Done(code, out.getvalue(), err.getvalue())


STRATEGY = """\
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class {name}(IStrategy):
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {{"0": 10}}
    stoploss = -0.10
{extra}
    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=8)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=24)
{indicators}
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] > dataframe["slow"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
{callbacks}
"""


def strategy(
    arena: Settings, name: str = "Cross", *, extra: str = "", indicators: str = "", callbacks: str = ""
) -> Path:
    """
    A moving-average cross that trades often, with lines put into the class, into its indicators, or after its methods.
    """

    def indented(text: str, depth: int) -> str:
        return "\n".join(" " * depth + line if line else line for line in text.splitlines())

    file = arena.root / "user_data" / "strategies" / f"{name}.py"
    file.write_text(
        STRATEGY.format(
            name=name, extra=indented(extra, 4), indicators=indented(indicators, 8), callbacks=indented(callbacks, 4)
        )
    )
    return file
