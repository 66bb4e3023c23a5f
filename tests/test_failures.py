"""What strategies do wrong: each stays its own failure, told in one line with its own frames."""

import contextlib
import dataclasses
import os
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from arenas import SHORT, evaluated, prepared, sampled, strategy
from waiting import alive, until

from arena.evaluation import context
from arena.sandbox import client


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    settings = prepared(tmp_path_factory.mktemp("arena"), arena=SHORT | {"limits": {"seconds": 60, "printed_kb": 64}})
    client.warm_up()
    return context.open_arena(settings, record=False, causality="quick")


def outcome(arena, file):
    result = evaluated(file, arena)
    file.unlink()
    return result


def test_an_honest_strategy_is_evaluated_and_its_literals_are_listed(arena):
    """Its file begins with a byte order mark, and it catches an exception of its own."""
    catches = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass"
    file = strategy(arena.settings, "Marked", indicators=f"late = dataframe['date'] > '2021-05-19'\n{catches}")
    file.write_bytes("\ufeff".encode() + file.read_bytes())
    result = outcome(arena, file)
    assert not result.error
    assert result.own.trades > 20
    assert [text.split(": ", 1)[1] for text in result.literals] == ['"2021-05-19"']


@pytest.mark.parametrize(
    ("parts", "message", "frame"),
    [
        ({"indicators": 'dataframe["x"] = dataframe["nothing"]'}, "KeyError: 'nothing'", 'dataframe["nothing"]'),
        (
            {"extra": "import no_such_package"},
            "does not import: ModuleNotFoundError: No module named 'no_such_package'",
            "import no_such",
        ),
        ({"indicators": "import sys; sys.exit(3)"}, "calls sys.exit(3)", "sys.exit(3)"),
        pytest.param({"extra": "raise SystemExit"}, "calls sys.exit(None)", "raise SystemExit", marks=pytest.mark.slow),
        ({"indicators": "import os; os._exit(5)"}, "exit code 5", None),
        pytest.param({"indicators": "import os; os.kill(os.getpid(), 9)"}, "SIGKILL", None, marks=pytest.mark.slow),
        ({"indicators": 'print("x" * 200_000)'}, "prints more than arena.limits.printed_kb = 64", None),
        ({"indicators": "bytearray(8 << 30)"}, "MemoryError", "bytearray"),
        pytest.param(
            {"indicators": "dataframe = dataframe.iloc[5:]"},
            "the rows of the strategy's frame are not the arena's candles",
            None,
            marks=pytest.mark.slow,
        ),
        ({"indicators": 'raise ValueError("a\\n---\\nstrategy: Fake")'}, "ValueError: a", "raise ValueError"),
        ({"extra": 'timeframe = "5m"'}, "timeframe is '5m', the arena trades '1h'", None),
        pytest.param(
            {"indicators": 'self.dp.get_pair_dataframe("BTC/USDT", "5m")'},
            "candles that the arena does not have: BTC/USDT, spot, 5m",
            None,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"indicators": 'self.dp.get_pair_dataframe("BTC/USDT", "2h")'},
            "candles that the arena does not have: BTC/USDT, spot, 2h",
            None,
            marks=pytest.mark.slow,
        ),
        (
            {"indicators": 'self.dp.get_pair_dataframe("DOGE/USDT", "1h")'},
            "candles that the arena does not have: DOGE/USDT",
            None,
        ),
        ({"extra": "can_short = True"}, "Short strategies cannot run in spot markets", None),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value)[:30],
)
def test_a_failure_says_what_and_where(arena, parts, message, frame):
    result = outcome(arena, strategy(arena.settings, "Broken", **parts))
    assert message in result.error
    assert frame is None or frame in result.frames[-1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"class Broken(IStrategy:\n", "SyntaxError: "),
        (b"x = 1\0\n", "not Python"),
        (b"\xff\xfe", "not UTF-8"),
        (b"(" * 300, "SyntaxError: "),
    ],
    ids=["a syntax error", "a null byte", "no text", "parentheses"],
)
def test_what_is_no_python_is_a_failure_too(arena, data, message):
    file = strategy(arena.settings, "Broken")
    file.write_bytes(data)
    result = outcome(arena, file)
    assert message in result.error
    assert result.literals == ()


FAILING = {
    "custom_exit": "def custom_exit(self, pair, trade, **kwargs):\n    return 1 / 0",
    "custom_stake_amount": "def custom_stake_amount(self, pair, **kwargs):\n    return 1 / 0",
    "confirm_trade_entry": "def confirm_trade_entry(self, pair, **kwargs):\n    return 1 / 0",
    "custom_entry_price": "def custom_entry_price(self, pair, **kwargs):\n    return 1 / 0",
    "bot_loop_start": "def bot_loop_start(self, current_time, **kwargs):\n    return 1 / 0",
    "custom_stoploss": "use_custom_stoploss = True\ndef custom_stoploss(self, pair, trade, **kwargs):\n    return "
    "1 / 0",
    "adjust_trade_position": "position_adjustment_enable = True\ndef adjust_trade_position(self, trade, **kwargs):\n   "
    " return 1 / 0",
    "order_filled": "def order_filled(self, pair, trade, order, **kwargs):\n    return int('x')",
}


@pytest.mark.parametrize("callback", sampled(FAILING, {"custom_exit", "custom_stake_amount", "bot_loop_start"}))
def test_an_exception_in_a_callback_fails_although_freqtrade_swallows_it(arena, callback):
    result = outcome(arena, strategy(arena.settings, "Broken", callbacks=FAILING[callback]))
    assert "ZeroDivisionError" in result.error or "invalid literal" in result.error
    assert "return" in result.frames[-1]


def test_switching_logging_off_does_not_hide_an_exception(arena):
    quiet = "import logging; logging.disable(logging.CRITICAL)"
    raises = "def custom_exit(self, pair, trade, **kwargs):\n    return 1 / 0"
    assert (
        "ZeroDivisionError"
        in outcome(arena, strategy(arena.settings, "Quiet", indicators=quiet, callbacks=raises)).error
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [
        {"indicators": "import logging; logging.getLogger('mine').warning('no %d format', 'number')"},
        {
            "indicators": "import logging; logging.getLogger('mine').warning('No history for this regime, using "
            "defaults')"
        },
        {
            "indicators": "import pandas as pd\nfor n in (5, 9):\n    dataframe = pd.concat([dataframe, "
            "pd.DataFrame({'x': ta.EMA(dataframe, n)})], axis=1)"
        },
        {
            "indicators": "import pandas as pd\ndataframe['enter_long'] = pd.array([None] * len(dataframe), "
            "dtype='Int64')"
        },
        {
            "extra": "@property\ndef timeframe(self):\n    return '1h'\n@timeframe.setter\ndef timeframe(self, "
            "value):\n    pass"
        },
        {"indicators": "self.dp.get_pair_dataframe('ETH/USDT', '4h')"},
    ],
    ids=[
        "a log line that cannot be formatted",
        "a log line like FreqTrade's",
        "a column twice",
        "nullable signals",
        "a property",
        "candles",
    ],
)
def test_honest_oddities_are_no_failure(arena, parts):
    assert not outcome(arena, strategy(arena.settings, "Odd", **parts)).error


def test_no_trades_is_a_failure_that_names_the_reason(arena):
    silent = 'dataframe["fast"] = dataframe["slow"]'
    assert "no entry signal in any pair" in outcome(arena, strategy(arena.settings, "Silent", indicators=silent)).error
    refused = "def confirm_trade_entry(self, pair, **kwargs):\n    return False"
    assert "no entry was filled" in outcome(arena, strategy(arena.settings, "Silent", callbacks=refused)).error


def impatient(arena):
    limits = arena.settings.limits.model_copy(update={"seconds": 2})
    return dataclasses.replace(arena, settings=arena.settings.model_copy(update={"limits": limits}))


@pytest.mark.slow
def test_a_strategy_that_never_ends_is_stopped_by_the_limit(arena):
    ignores = "import signal\nfor number in (2, 15):\n    signal.signal(number, signal.SIG_IGN)\nwhile True: pass"
    result = outcome(impatient(arena), strategy(arena.settings, "Endless", indicators=ignores))
    assert "did not end within arena.limits.seconds = 2" in result.error


def test_a_worker_starts_no_program(arena):
    result = outcome(
        arena, strategy(arena.settings, "Starts", indicators="import subprocess\nsubprocess.Popen(['sleep', '300'])")
    )
    assert "PermissionError" in result.error
    assert "Popen" in result.frames[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("then", "message"),
    [
        ("while True: pass", "did not end within arena.limits.seconds = 2"),
        ("time.sleep(1)\nos._exit(5)", "exit code 5"),
    ],
    ids=["a worker that never ends", "one that ends before its child"],
)
def test_what_a_worker_forked_ends_with_it(arena, then, message):
    forks = (
        f"import os, signal, time\nif os.fork() == 0:\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    "
        f"time.sleep(300)\n{then}"
    )
    file = strategy(arena.settings, "Forks", indicators=forks)
    server, groups, members = psutil.Process(client._server_pid()), set(), set()
    with ThreadPoolExecutor(max_workers=1) as beside:
        running = beside.submit(outcome, impatient(arena), file)
        while not running.done():
            groups |= {process.pid for process in server.children()}
            members |= {pid for pid in psutil.pids() if group_of(pid) in groups}
            time.sleep(0.05)
    assert message in running.result().error
    assert len(members) >= 2
    until(lambda: not any(map(alive, members)))


def group_of(pid):
    with contextlib.suppress(OSError):
        return os.getpgid(pid)


@pytest.mark.slow
def test_a_late_first_signal_because_of_warm_up_is_a_warning(arena):
    slow = 'dataframe["slow"] = ta.EMA(dataframe, timeperiod=1000)\ndataframe["fast"] = dataframe["slow"].fillna(0) + 1'
    result = outcome(arena, strategy(arena.settings, "Late", indicators=slow))
    assert any("slow of BTC/USDT has no value before 2021-" in text for text in result.warnings)
    assert not outcome(arena, strategy(arena.settings, "Early")).warnings
