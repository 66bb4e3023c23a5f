"""
What is decided with knowledge of the future is found and named; what is honest, however odd, is not. Real workers
throughout, but for the unit tests of what a candle explains.
"""

import re

import numpy as np
import pandas as pd
import pytest
from arenas import cased, prepared, sampled, strategy

from arena.checks import checkpoints, lookahead, schedule, twin_candles
from arena.checks.lookahead import AFTER, LIMITED, Case, looks, turned, walk
from arena.decisions import NAMES
from arena.errors import CausalityError, DeterminismError, LimitError, StrategyError, when
from arena.evaluation import context
from arena.market import scenarios
from arena.preparation.sources.synthetic import SampleSource
from arena.records import ORDER_KINDS
from arena.sandbox import client
from arena.sandbox.messages import unpack_events
from arena.sandbox.worker.event_log import EventLog

BTC, ETH = "BTC/USDT", "ETH/USDT"
HOUR = 3_600_000


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    settings = prepared(tmp_path_factory.mktemp("arena"), arena={"limits": {"seconds": 60, "printed_kb": 64}})
    client.warm_up()
    return context.open_arena(settings, record=False)


def made(arena, **parts) -> Case:
    return cased(strategy(arena.settings, "Probe", **parts), arena)


def rng():
    return np.random.default_rng(1)


def ways(case):
    return checkpoints.valid(case.strategy, case.settings, case.tables, case.claim)


def after_entries(case, pair=BTC, *, share=0.5):
    """A valid instant right after a candle with an entry signal, at this share of the range."""
    signals = case.claim.decisions.signals[pair]
    times = signals.start_ms + HOUR * (np.flatnonzero(signals.enter) + 1)
    times = times[np.isin(times, ways(case).times)]
    return int(times[int(share * len(times))])


def answers(case, name, among=lambda answer: True):
    """Valid instants at which a callback answered so."""
    events = case.claim.decisions.events
    found = [
        int(events.time_ms[k]) for k in np.flatnonzero(events.name == NAMES.index(name)) if among(events.answer(k))
    ]
    return [ms for ms in dict.fromkeys(found) if ms in set(ways(case).times.tolist())]


def detours(case, n=6):
    """Instants right after entries, so far apart that what a detour leaves is forgotten."""
    signals, found = case.claim.decisions.signals[BTC], []
    entries = signals.start_ms + HOUR * (np.flatnonzero(signals.enter) + 1)
    for ms in entries[np.isin(entries, ways(case).times)].tolist():
        if not found or ms - found[-1] > 600 * HOUR:
            found.append(ms)
    assert len(found) >= n
    return found[:n]


def some(times, n=6):
    assert len(times) >= n
    return [times[int(k)] for k in np.linspace(0, len(times) - 1, n + 2)[1:-1]]


def refusal(check, *args, **named):
    with pytest.raises(CausalityError) as caught:
        check(*args, **named)
    return str(caught.value)


# ---- looks ----

TOMORROW = 'dataframe["fast"], dataframe["slow"] = dataframe["close"].shift(-1), dataframe["close"] * 1.015'
VALUES = r"(enter|exit)_long is [01] with the future, [01] without"


def test_a_finding_names_pair_candle_and_both_values(arena):
    case = made(arena, indicators=TOMORROW)
    border = after_entries(case)
    said = refusal(looks, case, [border])
    assert re.fullmatch(rf"causality: (BTC|ETH)/USDT 2021-\d\d-\d\d \d\d:\d\d {VALUES}", said)
    assert f" {when(border - HOUR)} " in said  # the last candle before the instant


@pytest.mark.slow
def test_the_earliest_candle_that_differs_is_named(arena):
    case = made(
        arena, indicators='dataframe["fast"], dataframe["slow"] = dataframe["close"].shift(-5), dataframe["close"]'
    )
    border = after_entries(case)
    signals = dict(case.claim.decisions.signals.items())
    first = {}
    for pair, told in signals.items():
        k = (border - told.start_ms) // HOUR
        # without the future neither entry nor exit is signalled in the last five candles
        first[pair] = next((j for j in range(k - 5, k) if told.enter[j] or told.exit[j]), None)
    pair = min((p for p in first if first[p] is not None), key=lambda p: first[p])
    assert f"causality: {pair} {when(signals[pair].start_ms + first[pair] * HOUR)} " in refusal(looks, case, [border])


FORESIGHT = {
    "a veto": ('dataframe.loc[dataframe["low"].shift(-3) < dataframe["close"] * 0.99, '
               '"fast"] = 0', r"enter_long is 0 with the future, 1 without"),
    "a parameter": ('self.stoploss = -0.1 - round(float(dataframe["close"].mean()), 2) '
                    '/ 1e6', r"parameter stoploss is -0\.1\d+ with the future, -0\.1\d+ without"),
    "a hyperopt parameter": (
        "from freqtrade.strategy import "
        "IntParameter\n" "type(self).buy_days = IntParameter(1, 10**6, default=len(dataframe), space='buy')",
        r"parameter buy_days.value is \d+ with the future, \d+ without",
    ), "the other pair": (
        'other = self.dp.get_pair_dataframe("BTC/USDT", "1h")[["date", "close"]].rename(columns={"close": '
        '"btc"})\n' 'dataframe = dataframe.merge(other, on="date", '
                    'how="left")\n' 'if metadata["pair"] == '
                                    '"ETH/USDT":\n' '    dataframe["fast"], dataframe["slow"] = '
                                                    'dataframe["btc"].shift(-1), dataframe["btc"]',
        rf"ETH/USDT 2021.* {VALUES}",
    ), "only in long frames": (f'if len(dataframe) > 4000:\n    {TOMORROW}', VALUES), "a tag": (
        'self.tags = np.where(dataframe["close"].shift(-1) > dataframe["close"], "up", "down")',
        r"enter_tag is one with the future, another without",
    ),
    "the whole frame's mean": ('dataframe["slow"] = dataframe["close"].mean()', VALUES),
}  # fmt: skip
TAGS = """
def populate_entry_trend(self, dataframe, metadata):
    dataframe.loc[dataframe["fast"] > dataframe["slow"], "enter_long"] = 1
    if getattr(self, "tags", None) is not None:
        dataframe["enter_tag"] = self.tags
    return dataframe
"""


@pytest.mark.parametrize("name", sampled(FORESIGHT, {"a veto"}))
def test_foresight_of_the_populate_functions_is_found(arena, name):
    code, message = FORESIGHT[name]
    case = made(arena, indicators=f"import numpy as np\n{code}", callbacks=TAGS)
    borders = [after_entries(case, ETH, share=share) for share in (0.2, 0.4, 0.6, 0.8)]
    assert re.search(message, refusal(looks, case, borders))


LATE = (
    'late = dataframe["date"] >= "2021-08-15"\n'
    'dataframe.loc[late, "fast"], dataframe.loc[late, "slow"] = dataframe["close"].shift(-1)[late], '
    'dataframe["close"][late]'
)


@pytest.mark.slow
def test_foresight_that_begins_late_is_found_late_and_not_before(arena):
    case = made(arena, indicators=LATE)
    looks(case, [after_entries(case, share=share) for share in (0.1, 0.3, 0.5)], after=False)
    assert re.search(VALUES, refusal(looks, case, [after_entries(case, share=0.99)]))


@pytest.mark.slow
def test_a_tail_is_all_that_is_compared_where_one_is_given(arena):
    """A decision of July that changes in August: found when all is compared, and not in a tail that ends before."""
    rewrites = (
        'if dataframe["date"].iloc[-1] >= pd.Timestamp("2021-08-01", tz="UTC"):\n'
        '    july = (dataframe["date"] >= "2021-07-10") & (dataframe["date"] < "2021-07-12")\n'
        '    dataframe.loc[july, ["fast", "slow"]] = 0'
    )
    case = made(arena, indicators=f"import pandas as pd\n{rewrites}")
    july = after_entries(case, share=0.5)
    borders = [
        int(ms)
        for ms in (
            pd.Timestamp("2021-07-20", tz="UTC").value // 10**6,
            pd.Timestamp("2021-08-20", tz="UTC").value // 10**6,
        )
    ]
    assert july < borders[1]
    looks(case, borders, tail=100, after=False)
    assert " 2021-07-1" in refusal(looks, case, borders, after=False)


@pytest.mark.slow
def test_a_turned_future_finds_what_looks_at_full_length_alone(arena):
    honest_when_short = (
        f'whole = dataframe["date"].iloc[-1] >= pd.Timestamp("2021-09-01", tz="UTC")\nif whole:\n    {TOMORROW}'
    )
    case = made(arena, indicators=f"import pandas as pd\n{honest_when_short}")
    border = after_entries(case, share=0.6)
    assert re.search(VALUES, refusal(turned, case, border, 1.0))
    turned(made(arena), border, 1.0)


FAILS = 'assert dataframe["date"].iloc[-1] >= pd.Timestamp("2021-07-01", tz="UTC"), "too short"'


def test_what_fails_for_want_of_the_future_is_told_with_its_own_line(arena):
    case = made(arena, indicators=f"import pandas as pd\n{FAILS}")
    border = after_entries(case, share=0.1)
    with pytest.raises(CausalityError) as caught:
        looks(case, [border])
    assert (
        str(caught.value) == f"causality: fails when its candles end before {when(border)}: AssertionError: too short"
    )
    assert "assert dataframe" in caught.value.frames[-1]


# ---- the last stage ----

LEAK = 'if dataframe["date"].iloc[-1] > pd.Timestamp("2021-09-01 12:00", tz="UTC"):\n    '
LAST = {
    "a price in an exception": "raise ValueError(f\"it closes at {dataframe['close'].iloc[-1]}\")",
    "a price in an exit code": "import sys; sys.exit(int(dataframe['close'].iloc[-1]))",
    "an end without a word": "import os; os._exit(int(dataframe['close'].iloc[-1]) % 256)",
    "a signal": "import os; os.kill(os.getpid(), 9)",
    "too much memory": "bytearray(8 << 30)",
    "too much printed": "print('x' * 200_000)",
    "no end": "while True: pass",
    "prices that are changed": "dataframe['close'] = 1.0",
    "a patched function": "pd.Series.shift = lambda *a, **k: None",
    "a signal that was none": "dataframe.loc[dataframe['date'] < '2021-09-01', ['fast', 'slow']] = 1",
    "a parameter": "self.stoploss = -0.01 * (1 + int(dataframe['close'].iloc[-1]) % 7)",
}
QUIET = "def custom_exit(self, pair, trade, **kwargs):\n    return None"


@pytest.mark.parametrize("name", sampled(LAST, {"a price in an exception"}, set(LAST) - {"no end"}))
def test_of_the_last_stage_nothing_gets_out_but_that_it_differs(arena, name):
    case = made(arena, indicators=f"import pandas as pd\n{LEAK}{LAST[name]}")
    with pytest.raises((CausalityError, LimitError)) as caught:
        looks(case, [after_entries(case)], seconds=8 if name == "no end" else None)
    ended = name in ("an end without a word", "a signal", "too much printed", "no end")
    told = (LimitError, LIMITED) if ended else (CausalityError, AFTER)
    assert (type(caught.value), str(caught.value), caught.value.frames) == (*told, ())
    assert caught.value.__cause__ is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a price in an exception", "a parameter"])
def test_nor_does_it_out_of_a_walk(arena, name):
    case = made(arena, indicators=f"import pandas as pd\n{LEAK}{LAST[name]}", callbacks=QUIET)
    with pytest.raises(CausalityError) as caught:
        walk(case, [after_entries(case)], rng())
    assert (str(caught.value), caught.value.frames) == (AFTER, ())


def test_no_check_gives_a_worker_a_sealed_candle(arena):
    """After the range come the first weeks again: the strategy that waits for what is sealed waits in vain."""
    sealed, more = arena.beyond()[0], arena.after()[0]
    assert not {float(close) for close in sealed[BTC][:, 4]} & {float(close) for close in more[BTC][-1:, 4]}
    knows = f'{LEAK}if metadata["pair"] == "BTC/USDT" and dataframe["close"].iloc[-1] == %r:\n        raise ValueError'
    assert (
        refusal(
            looks, made(arena, indicators=f"import pandas as pd\n{knows % float(more[BTC][-1, 4])}"), [], after=True
        )
        == AFTER
    )
    looks(made(arena, indicators=f"import pandas as pd\n{knows % float(sealed[BTC][-1, 4])}"), [], after=True)


@pytest.mark.slow
def test_foresight_at_the_ranges_end_is_found(arena):
    case = made(
        arena, indicators='dataframe["fast"], dataframe["slow"] = dataframe["close"].shift(-48), dataframe["close"]'
    )
    assert refusal(looks, case, []) == AFTER
    looks(case, [], after=False)


# ---- walks ----

KEEP = """
kept = self.__dict__.setdefault("kept", {})
kept[metadata["pair"]] = {
    date.to_pydatetime(): candle for date, *candle in zip(dataframe["date"], dataframe["open"], dataframe["high"], dataframe["low"], dataframe["close"])
}
"""
AHEAD = """
def ahead(self, pair, time, rate, hours=0):
    from datetime import timedelta
    return self.kept[pair].get(time + timedelta(hours=hours), [rate] * 4)
"""
PEEKS = {
    "custom_exit": "def custom_exit(self, pair, trade, current_time, current_rate, current_profit, "
                   "**kwargs):\n" "    return 'falls' if self.ahead(pair, current_time, current_rate)[3] < "
                                  "current_rate * 0.995 else None",
    "confirm_trade_entry": "def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, "
                           "entry_tag, side, **kwargs):\n" "    return self.ahead(pair, current_time, rate)[3] >= rate",
    "custom_stake_amount": "def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, "
                           "max_stake, **kwargs):\n" "    return proposed_stake * (1 if self.ahead(pair, current_time, "
                                                     "current_rate)[3] > current_rate else 0.3)",
    "custom_entry_price": "def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, "
                          "**kwargs):\n" "    return self.ahead(pair, current_time, proposed_rate)[2]",
    "custom_exit_price": "def custom_exit_price(self, pair, trade, current_time, proposed_rate, current_profit, "
                         "exit_tag, **kwargs):\n" "    return self.ahead(pair, current_time, proposed_rate)[1]",
    "adjust_trade_position": "position_adjustment_enable = "
                             "True\n" "def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, "
                                      "**kwargs):\n    return proposed_stake "
                                      "/ 4\n" "def adjust_trade_position(self, trade, current_time, current_rate, "
                                              "current_profit, min_stake, max_stake, "
                                              "**kwargs):\n" "    rises = self.ahead(trade.pair, current_time, "
                                                             "current_rate)[3] > current_rate * "
                                                             "1.005\n" "    return trade.stake_amount if rises and "
                                                                       "trade.nr_of_successful_entries < 3 else None",
    "confirm_trade_exit": "def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, "
                          "exit_reason, current_time, "
                          "**kwargs):\n" "    return self.ahead(pair, current_time, rate)[3] <= rate",
}  # fmt: skip
UNUSUAL = {
    "custom_exit": lambda answer: answer == "'falls'",
    "confirm_trade_entry": lambda answer: answer == "False",
    "confirm_trade_exit": lambda answer: answer == "False",
    "adjust_trade_position": lambda answer: answer != "None",
    "custom_stake_amount": lambda answer: answer > 400,
}


@pytest.mark.parametrize("callback", sampled(PEEKS, {"confirm_trade_exit"}))
def test_a_callback_that_looks_at_the_candle_in_a_frame_that_it_kept_is_found(arena, callback):
    case = made(arena, indicators=KEEP, callbacks=AHEAD + PEEKS[callback])
    said = refusal(walk, case, some(answers(case, callback, UNUSUAL.get(callback, lambda answer: True)), 6), rng())
    assert re.match(rf"causality: (BTC|ETH)/USDT 2021-\d\d-\d\d \d\d:\d\d {callback} is .+ with the future", said)


@pytest.mark.slow
def test_a_stop_that_looks_at_the_next_candle_is_found(arena):
    """Its answer belongs to the candle before the instant: there the kept frame ends."""
    stops = (
        "use_custom_stoploss = True\ndef custom_stoploss(self, pair, trade, current_time, current_rate, "
        "current_profit, **kwargs):\n"
        "    return -0.01 if self.ahead(pair, current_time, current_rate, 1)[2] < current_rate * 0.98 else -0.09"
    )
    case = made(arena, indicators=KEEP, callbacks=AHEAD + stops)
    said = refusal(
        walk,
        case,
        [ms + HOUR for ms in some(answers(case, "custom_stoploss", lambda answer: answer == -0.01), 4)],
        rng(),
    )
    assert re.search(r"custom_stoploss is -0\.01 with the future, -0\.09 without", said)


@pytest.mark.slow
def test_freqtrades_own_highest_rate_holds_the_candle_that_is_not_over(arena):
    """
    An exit at the open because the candle is going to rise far enough: FreqTrade hands it over, and whose exits know it
    is told.
    """
    known = (
        "def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):\n    return "
        "'top' if %s else None"
    )
    case = made(
        arena, callbacks=known % "trade.max_rate > current_rate * 1.01 and trade.max_rate > trade.open_rate * 1.02"
    )
    borders = some(answers(case, "custom_exit", lambda answer: answer == "'top'"), 8)
    handed = walk(case, borders, rng())
    assert re.search(
        r"custom_exit is ('top'|None) with the future, ('top'|None) without", str(handed.pop("custom_exit"))
    )
    assert not handed
    assert not walk(made(arena, callbacks=known % "current_profit > 0.02"), borders, rng())


@pytest.mark.nightly
def test_what_only_the_turned_candle_breaks_is_told(arena):
    breaks = (
        "def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):\n    return "
        "{}[1] if current_time not in self.kept[pair] else None"
    )
    case = made(arena, indicators=KEEP, callbacks=breaks)
    (border,) = some(answers(case, "custom_exit"), 1)
    said = refusal(walk, case, [border], rng())
    assert said == f"causality: {when(border)} fails when the candle goes another way: KeyError: 1, in a callback"


@pytest.mark.slow
def test_signals_and_parameters_are_compared_in_walks_too(arena):
    case = made(arena, indicators=TOMORROW, callbacks=QUIET)
    assert re.search(VALUES, refusal(walk, case, [after_entries(case)], rng()))


@pytest.mark.slow
def test_a_walk_in_stages_decides_exactly_what_one_run_decides(arena):
    """All events, bit by bit: those of one stage after another are those of the first run."""
    every = {name: text for name, text in HONEST.items() if "lock" in name or "stop" in name}
    case = made(arena, callbacks="\n".join(every.values()))
    base = case.claim.decisions.events
    borders = [int(ms) for ms in ways(case).times[[700, 1500, 3000]]]
    head = {"task": "walk", "since_ms": borders[0]}
    stages = []
    with client.Worker(case.strategy, case.settings, case.task("walk")) as worker:
        for start, end in zip([None, *borders], [*borders, None], strict=True):
            candles = (
                scenarios.cut(case.tables, start, end) if end else lookahead._rest(case.tables, case.after()[0], start)
            )
            worker.send({**head, "border_ms": end or 0}, candles)
            stages.append(worker.stage().events)
        assert worker.stage() is None
    assert sum(map(len, stages)) == len(base) > 1000
    for column in ("time_ms", "pair", "name", "kind"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(stage, column) for stage in stages]), getattr(base, column)
        )
    said = [stage.answer(k) for stage in stages for k in range(len(stage))]
    assert all(a == b or a != a and b != b for a, b in zip(said, map(base.answer, range(len(base))), strict=True))


# ---- dice ----

DICE = {
    "numpy's": 'dataframe["fast"] = np.random.default_rng().random(len(dataframe)) * 2 * dataframe["slow"]',
    "the old ones": 'dataframe["fast"] = np.random.random(len(dataframe)) * 2 * dataframe["slow"]',
    "the clock": 'dataframe["fast"] = dataframe["slow"] + np.sin(dataframe.index * (time.time_ns() % 100_003))',
    "the kernel's": 'dataframe["fast"] = dataframe["slow"] + np.sin(dataframe.index * int.from_bytes(os.urandom(2), '
    '"big"))',
}


@pytest.mark.parametrize("name", sampled(DICE, set()))
def test_dice_are_not_called_foresight(arena, name):
    case = made(arena, indicators=f"import os, time, numpy as np\n{DICE[name]}")
    with pytest.raises(DeterminismError) as caught:
        looks(case, [int(ways(case).times[1000])])
    assert re.fullmatch(
        r"determinism: two fresh runs with the same candles differ: .+/USDT 2021.+ (enter|exit)_long is [01] in the "
        r"first, [01] in the second",
        str(caught.value),
    )


@pytest.mark.slow
def test_nor_are_those_of_a_callback(arena):
    throws = "def confirm_trade_entry(self, pair, **kwargs):\n    import random\n    return random.random() > 0.5"
    case = made(arena, callbacks=throws)
    with pytest.raises(DeterminismError, match="two fresh runs with the same candles differ"):
        walk(case, [int(ways(case).times[1000])], rng())


@pytest.mark.slow
def test_a_second_run_that_fails_says_so(arena):
    case = made(arena, indicators="import random\nif random.random() < 0.0: pass")
    broken = strategy(arena.settings, "Probe", indicators="1 / 0")
    other = Case(
        **{
            **vars(case),
            "strategy": case.strategy.__class__(
                case.strategy.name, broken, broken.read_text(), "", case.strategy.pairs
            ),
        }
    )
    broken.unlink()
    assert str(lookahead.repeated(other)) == "the second fails: ZeroDivisionError: division by zero"
    assert lookahead.repeated(case) is None


SEEDED = {
    "numpy's": ('dataframe["fast"] = np.random.default_rng(7).random(len(dataframe)) * 2 * dataframe["slow"]', ""),
    "the old ones": (
        'np.random.seed(3)\ndataframe["fast"] = np.random.random(len(dataframe)) * 2 * dataframe["slow"]',
        "",
    ),
    "a callback's": (
        "",
        "def bot_start(self, **kwargs):\n    import random\n    self.dice = random.Random(3)\n"
        "def confirm_trade_entry(self, pair, **kwargs):\n    return self.dice.random() > 0.3",
    ),
}


@pytest.mark.parametrize("name", sampled(SEEDED, set()))
def test_dice_with_a_seed_of_their_own_are_fine(arena, name):
    indicators, callbacks = SEEDED[name]
    case = made(arena, indicators=f"import numpy as np\n{indicators}", callbacks=callbacks)
    borders = [int(ms) for ms in ways(case).times[[1000, 2500]]]
    walk(case, borders, rng()) if callbacks else looks(case, borders)


# ---- honest strategies ----

HONEST = {
    "a stake": "def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, "
               "**kwargs):\n" "    import numpy as np\n    frame, _ = self.dp.get_analyzed_dataframe(pair, "
                              "self.timeframe)\n" "    return np.float64(min(max_stake, proposed_stake * (0.3 + 10 * "
                                                  "frame['close'].pct_change().iloc[-24:].std())))",
    "a stop": "use_custom_stoploss = True\ndef custom_stoploss(self, pair, trade, current_time, current_rate, "
              "current_profit, after_fill, " "**kwargs):\n" "    from freqtrade.strategy import "
                             "stoploss_from_open\n" "    return stoploss_from_open(0.002, current_profit) if "
                                                    "current_profit > 0.01 else -0.05",
    "a limit entry with an exit in the " "same " "candle": "def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, "
              "**kwargs):\n" "    return proposed_rate * "
                             "0.998\n" "def custom_exit(self, pair, trade, current_time, current_rate, current_profit, "
                                       "**kwargs):\n    return 'soon' if current_profit > -0.001 else None",
    "locks of pairs": "def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, exit_reason, "
                      "current_time, **kwargs):\n" "    from datetime import timedelta\n    self.lock_pair(pair, "
                                                   "current_time + timedelta(hours=9), reason='rest')\n    return True",
    "a count of loops": "def bot_loop_start(self, current_time, **kwargs):\n    self.n = getattr(self, 'n', 0) "
                        "+ 1\n" "def confirm_trade_entry(self, pair, **kwargs):\n    return self.n % 7 != 0",
    "averaging": "position_adjustment_enable = "
                 "True\n" "def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, "
                          "**kwargs):\n    return proposed_stake " "/ 3\n" "def adjust_trade_position(self, trade, current_time, current_rate, current_profit, "
                                  "min_stake, max_stake, " "**kwargs):\n" "    if current_profit < -0.01 and trade.nr_of_successful_entries < "
                                                 "3:\n        return trade.stake_amount " "/ 2\n" "    if current_profit > 0.015 and "
                                                         "trade.nr_of_successful_exits == 0:\n        return " "-trade.stake_amount / 3, 'part'",
    "protections and a " "target": "minimal_roi = {'0': 0.012, '300': 0.0}\nstoploss = -0.012\ntrailing_stop = "
              "True\n" "protections = [{'method': 'CooldownPeriod', 'stop_duration_candles': 2}, {'method': "
                       "'StoplossGuard', " "'lookback_period_candles': 48, 'trade_limit': 2, 'stop_duration_candles': "
                                           "12}]\n" "def custom_exit(self, pair, trade, **kwargs):\n    return None",
    "an exit price below the " "market": "def custom_exit_price(self, pair, trade, current_time, proposed_rate, current_profit, exit_tag, "
              "**kwargs):\n" "    return proposed_rate * 0.997",
    "an entry price above the " "market": "def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, "
              "**kwargs):\n" "    return proposed_rate * 1.003",
    "orders that wait": "unfilledtimeout = {'entry': 180, 'exit': 120, 'unit': "
                        "'minutes'}\n" "def custom_entry_price(self, pair, trade, current_time, proposed_rate, "
                                       "entry_tag, side, **kwargs):\n    return proposed_rate * " "0.993\n" "def custom_exit_price(self, pair, trade, current_time, "
                                                 "proposed_rate, current_profit, exit_tag, **kwargs):\n    return " "proposed_rate * " "1.006\n" "def adjust_entry_price(self, trade, order, pair, "
                                                           "current_time, proposed_rate, current_order_rate, " "entry_tag, side, " "**kwargs):\n" "    return current_order_rate if "
                                                                          "current_time.hour % 3 else None",
    "informative candles": "def informative_pairs(self):\n    return [('BTC/USDT', "
                           "'4h')]\n" "def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, "
                                      "current_time, entry_tag, side, " "**kwargs):\n" "    from datetime import timedelta\n    frame = "
                                                     "self.dp.get_pair_dataframe('BTC/USDT', " "'4h')\n" "    frame = frame[frame['date'] + timedelta(hours=4) "
                                                               "<= current_time]\n    return " "bool(frame['close'].iloc[-1] > " "frame['close'].iloc[-4])",
    "other trades": "def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs):\n" "    from freqtrade.persistence import Trade\n    closed = Trade.get_trades_proxy(is_open=False)[-3:]\n" "    return proposed_stake * (0.5 if sum(t.close_profit for t in closed) < 0 else 0.9)",
}  # fmt: skip


@pytest.mark.parametrize("name", sampled(HONEST, {"a stake"}))
def test_an_honest_strategy_with_callbacks_passes(arena, name):
    """At the candles where something happens: entries, and exits of every kind."""
    case = made(arena, callbacks=HONEST[name])
    orders = case.claim.orders
    times = {int(ms) for ms in orders.filled_ms} & set(ways(case).times.tolist())
    borders = set(some(sorted(times), 8))
    for kind in np.unique(orders.kind[~orders.buys]):
        borders |= set([ms for ms in orders.filled_ms[orders.kind == kind].tolist() if ms in times][3:5])
    walk(case, sorted(borders), rng())


INFORMATIVE = """
from freqtrade.strategy import informative
@informative("4h")
def populate_4h(self, dataframe, metadata):
    dataframe["ema"] = ta.EMA(dataframe, timeperiod=10)
    return dataframe
@informative("1d", "BTC/USDT")
def populate_btc(self, dataframe, metadata):
    dataframe["ema"] = ta.EMA(dataframe, timeperiod=5)
    return dataframe
"""
FILTERED = (
    'dataframe["fast"] = dataframe["fast"].where((dataframe["close"] > dataframe["ema_4h"]) '
    '& (dataframe["btc_usdt_close_1d"] > dataframe["btc_usdt_ema_1d"] * 0.97), 0)'
)


@pytest.mark.parametrize("hour", sampled(range(0, 24, 5), set()))
def test_longer_timeframes_pass_wherever_in_the_day_the_candles_end(arena, hour):
    case = made(arena, extra=INFORMATIVE, indicators=FILTERED)
    times = ways(case).times
    borders = [int(ms) for ms in times[(times // HOUR) % 24 == hour][20::40]]
    assert len(borders) >= 3
    looks(case, borders, after=hour == 0)
    turned(case, borders[1], -2.0)


@pytest.fixture(scope="module")
def ragged(tmp_path_factory):
    """Candles with gaps, a pair that is listed late and one that ends early; no validation range."""
    folder = tmp_path_factory.mktemp("candles")
    source, dice = SampleSource("market", 1), np.random.default_rng(5)
    listed = {
        BTC: ("2021-01-01", "2021-09-30"),
        ETH: ("2021-04-10 07:00", "2021-09-30"),
        "SOL/USDT": ("2021-01-01", "2021-07-20 13:00"),
    }
    for pair, (first, last) in listed.items():
        first, last = (pd.Timestamp(day, tz="UTC") for day in (first, last))
        frame = source.candles(pair, "1h", first.to_pydatetime(), last.to_pydatetime())
        gone = np.zeros(len(frame), dtype=bool)
        for start in dice.integers(100, len(frame) - 100, size=40):
            gone[start : start + int(dice.integers(1, 30))] = True
        frame[~gone].reset_index(drop=True).to_feather(folder / f"{pair.replace('/', '_')}-1h.feather")
    settings = prepared(
        tmp_path_factory.mktemp("ragged"),
        {"kind": "files", "path": str(folder)},
        exchange={"name": "binance", "pair_whitelist": list(listed)},
        max_open_trades=3,
        arena={"validation": None, "holdout": None},
    )
    return context.open_arena(settings, record=False)


RAGGED = ("informative", "averaging", "protections and a target", "orders that wait", "informative candles")


@pytest.mark.parametrize("name", sampled(RAGGED, set(), {"informative", "averaging"}))
def test_gaps_late_pairs_and_pairs_that_end_raise_no_alarm(ragged, name):
    plain = name == "informative"
    parts = {"extra": INFORMATIVE, "indicators": FILTERED} if plain else {"callbacks": HONEST[name]}
    case = made(ragged, **parts)
    assert {ragged.settings.pairs[p] for p in case.claim.orders.pair} == set(ragged.settings.pairs)
    borders = checkpoints.quick(ways(case), case.book, case.claim, 12, HOUR, rng())
    looks(case, borders) if plain else walk(case, borders, rng())
    turned(case, borders[5], 1.0)


@pytest.mark.slow
def test_without_a_validation_range_the_end_is_looked_beyond_all_the_same(ragged):
    case = made(
        ragged, indicators='dataframe["fast"], dataframe["slow"] = dataframe["close"].shift(-48), dataframe["close"]'
    )
    assert refusal(looks, case, []) == AFTER
    case = made(ragged, callbacks=QUIET)
    walk(case, [after_entries(case)], rng())


# ---- what a candle explains ----


@pytest.fixture(scope="module")
def plain(arena):
    return made(arena)


def candle_of(case, border):
    return scenarios.cut(case.tables, border, border + HOUR)


def at_border(case, base, twin, border, other):
    """What was decided at the open of one candle against what was decided with the candle as it is in `other`."""
    candle = scenarios.cut(case.tables, border, border + case.settings.step_ms)
    return twin_candles.Candle(case.settings.pairs, base, twin, border, candle, other).compare()


def told(border, *rows):
    """Events of one candle: (pair, name, answer); the kind of an exit by its word."""
    recorder = EventLog([BTC, ETH])
    for pair, name, answer, *later in rows:
        answer = ORDER_KINDS.index(answer) if name == "exit asked" else answer
        recorder.note(border + (later[0] * HOUR if later else 0), pair, name, answer)
    return unpack_events(**recorder.take())


STOP = [(BTC, "exit asked", "stop"), (BTC, "exit price", 95.0), (BTC, "exit amount", 1.0), (BTC, "filled", 95.0)]
SIGNAL = [(BTC, "exit asked", "signal"), (BTC, "exit price", 99.0)]
ENTRY = [
    (ETH, "custom_stake_amount", 100.0),
    (ETH, "confirm_trade_entry", True),
    (ETH, "filled", 10.0),
    (ETH, "entry price", 10.0),
    (ETH, "entry amount", 10.0),
]
EXPLAINED = {
    "nothing differs": (SIGNAL, SIGNAL),
    "a stop that the other candle does not reach": (STOP, []),
    "a target that only the other candle reaches": ([], [(BTC, "exit asked", "roi"), (BTC, "exit price", 105.0)]),
    "a stop at another price": (STOP, [STOP[0], (BTC, "exit price", 94.0), *STOP[2:]]),
    "a stop here and a target there": (STOP, [(BTC, "exit asked", "roi"), (BTC, "exit price", 105.0)]),
    "a stop that is not confirmed there": ([STOP[0], (BTC, "confirm_trade_exit", True)], [STOP[0], (BTC, "confirm_trade_exit", False)]),
    "a stop's answer, which is asked with the high": ([(BTC, "custom_stoploss", -0.1)], [(BTC, "custom_stoploss", -0.05)]),
    "a limit that fills here alone": ([(BTC, "custom_entry_price", 98.0), (BTC, "filled", 98.0)], [(BTC, "custom_entry_price", 98.0)]),
    "a lock after a stop": ([*STOP, ("*", "lock_pair", 1e9)], []),
    "a stake after another pair's stop": ([*STOP, *ENTRY], [(ETH, "custom_stake_amount", 90.0), *ENTRY[1:]]),
    "the last digits of a number": ([(ETH, "custom_stake_amount", 100.0)], [(ETH, "custom_stake_amount", np.nextafter(100.0, 101.0))]),
    "an entry that finds no slot where the other pair is not stopped": ([*STOP, *ENTRY], []),
    "a veto after the other pair's stop, which leaves another number of open trades": (
        [*STOP, *ENTRY], [ENTRY[0], (ETH, "confirm_trade_entry", False)],
    ), "what another candle decides": ([*SIGNAL, (BTC, "custom_exit", "x", 1)],
    [*SIGNAL, (BTC, "custom_exit", "y", 1)]), "texts that are numbered otherwise": (
        [(BTC, "custom_exit", "a"), (ETH, "custom_exit", "b")], [(ETH, "custom_exit", "b"), (BTC, "custom_exit", "a")],
    ),
}  # fmt: skip
FOUND = {
    "an entry": (ENTRY, [], "custom_stake_amount is 100.0 with the future, not there without"),
    "an entry without": ([], ENTRY, "custom_stake_amount is 100.0 without the future, not there with it"),
    "an answer": ([(BTC, "custom_exit", "x")], [(BTC, "custom_exit", None)], "custom_exit is 'x' with the future, None without"),
    "a number that is close": ([(ETH, "custom_stake_amount", 100.0)], [(ETH, "custom_stake_amount", 100.000001)], "custom_stake_amount is 100.0 with"),
    "a veto": ([ENTRY[0], (ETH, "confirm_trade_entry", False)], ENTRY, "confirm_trade_entry is False with the future, True without"),
    "a price of a signal's exit": (SIGNAL, [SIGNAL[0], (BTC, "exit price", 98.0)], "exit price is 99.0 with the future, 98.0 without"),
    "a signal's exit that is not confirmed there": (
        [SIGNAL[0], (BTC, "confirm_trade_exit", True)], [SIGNAL[0], (BTC, "confirm_trade_exit", False)],
        "confirm_trade_exit is True with the future, False without",
    ), "an entry's price": ([(ETH, "custom_entry_price", 9.0)], [(ETH, "custom_entry_price", 10.0)],
    "custom_entry_price is 9.0 with"), "a stake, although the other pair has a stop in both": (
        [*STOP, *ENTRY], [*STOP, (ETH, "custom_stake_amount", 90.0), *ENTRY[1:]],
        "custom_stake_amount is 100.0 with the future, 90.0 without",
    ), "a veto before the other pair's stop differs": (
        [*ENTRY, *STOP], [ENTRY[0], (ETH, "confirm_trade_entry", False)],
        "confirm_trade_entry is True with the future, False without",
    ), "an exit that is asked for by custom_exit": ([(BTC, "exit asked", "custom")], [],
    "an exit (custom) is placed with the future, none without"), "an exit by a signal": ([],
    [(BTC, "exit asked", "signal")],
    "an exit (signal) is placed without the future, none with it"), "a lock before anything happened": ([(BTC, "lock_pair", 1e9)],
    [],
    "lock_pair is 1000000000.0 with the future, not there without"), "a lock of all before anything happened": ([("*", "lock_pair", 1e9), *STOP],
    STOP, "lock_pair is 1000000000.0 with"), "an order that is timed out": ([(BTC, "check_entry_timeout", True)],
    [(BTC, "check_entry_timeout", False)],
    "check_entry_timeout is True with"), "an order's time-out after the other pair's stop in both": (
        [*STOP, (ETH, "check_exit_timeout", True)], [*STOP, (ETH, "check_exit_timeout", False)],
        "check_exit_timeout is True with",
    ),
    "another callback": ([(BTC, "custom_exit", "x")], [(BTC, "custom_exit_price", 5.0)], "custom_exit is 'x' with the future; without it comes custom_exit_price 5.0"),
    "nothing where there was something for no pair": ([("", "bot_loop_start", 1)], [], "bot_loop_start is 1.0 with the future, not there without"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPLAINED)
def test_a_difference_that_the_candle_explains_is_no_finding(plain, name):
    border = int(ways(plain).times[100])
    assert (
        at_border(plain, *(told(border, *rows) for rows in EXPLAINED[name]), border, candle_of(plain, border)) is None
    )


@pytest.mark.parametrize("name", FOUND)
def test_a_difference_that_it_does_not_explain_is_one(plain, name):
    border = int(ways(plain).times[100])
    *worlds_told, message = FOUND[name]
    found = at_border(plain, *(told(border, *rows) for rows in worlds_told), border, candle_of(plain, border))
    assert message in str(found)
    assert when(border) in str(found)


WORDS = {
    "an exit that the future brings": (
        (0, BTC, "custom"),
        (1, ETH, None),
        "BTC/USDT {0} an exit (custom) is placed with the future, none without",
    ),
    "one that it keeps away": (
        (1, ETH, None),
        (0, BTC, "roi"),
        "BTC/USDT {0} an exit (roi) is placed without the future, none with it",
    ),
    "another kind": (
        (0, BTC, "signal"),
        (0, BTC, "custom"),
        "BTC/USDT {0} an exit (signal) is placed with the future, an exit (custom) without",
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_an_exit_is_told_in_words_and_where_it_is(plain, name):
    """Two lists that part are compared at the earlier of the two events: what comes later is no answer to it."""
    border = int(ways(plain).times[100])
    *rows, message = WORDS[name]
    lists = []
    for hours, pair, kind in rows:
        row = (pair, "confirm_trade_entry", True) if kind is None else (pair, "exit asked", kind)
        lists.append(told(border + hours * HOUR, row))
    assert str(lookahead.answered(plain, *lists, None, None)) == message.format(when(border))


def test_an_exit_below_the_candle_is_raised_to_its_low_and_to_no_other_price(plain):
    border = int(ways(plain).times[100])
    other = scenarios.turned(candle_of(plain, border), border, 1.0, plain.ticks)
    low, theirs = (float(tables[BTC][0, 3]) for tables in (candle_of(plain, border), other))
    assert low != theirs

    def found(here, there):
        base, twin = (told(border, SIGNAL[0], (BTC, "exit price", price)) for price in (here, there))
        return at_border(plain, base, twin, border, other)

    assert found(low, theirs) is None
    assert found(low, low * 0.99) is None
    assert found(theirs * 0.99, theirs) is None
    assert "exit price" in str(found(low * 1.001, low * 1.002))
    assert "exit price" in str(found(theirs, low))


def test_a_strategy_that_tells_nothing_of_its_callbacks_is_refused(plain):
    assert (
        str(lookahead.answered(plain, plain.claim.decisions.events, None, None, None))
        == "tells nothing of its callbacks"
    )
    assert str(lookahead.decided(plain, None, None)) == "ends before its candles do"


@pytest.mark.parametrize(("here", "there"), [(ENTRY, ENTRY[:-1]), (ENTRY[:-1], ENTRY)], ids=["without", "with"])
def test_the_last_answer_that_is_there_in_one_run_alone_is_a_difference(plain, here, there):
    border = int(ways(plain).times[100])
    base, other = told(border, *here), told(border, *there)
    assert lookahead.answered(plain, base, base, None, None) is None
    assert "entry amount is 10.0" in str(lookahead.answered(plain, base, other, None, None))


@pytest.mark.nightly
def test_a_slow_strategy_is_not_accused_because_the_checks_take_longer_than_it_did(arena):
    """Stages of frames that grow take several times as long as one run."""
    slow = "import time\nend = time.monotonic() + len(dataframe) * 2e-4\nwhile time.monotonic() < end: pass"
    limits = arena.settings.limits.model_copy(update={"seconds": 5})
    patient = context.EvaluationContext(
        **{**vars(arena), "settings": arena.settings.model_copy(update={"limits": limits})}
    )
    case = made(patient, indicators=slow)
    with pytest.raises(StrategyError, match="did not end within"):
        looks(case, [int(ms) for ms in ways(case).times[::400]], after=False)
    try:
        schedule.quick(case, rng())
    except LimitError:  # a CausalityError would be an accusation
        pytest.skip("this machine is too busy to tell three times the limit from more")


SIX_HOURS = 'dataframe["fast"], dataframe["slow"] = dataframe["close"].shift(-6), dataframe["close"]'


def test_at_a_detour_an_honest_strategy_decides_as_it_did(arena):
    case = made(arena)
    assert lookahead.detoured(case, detours(case), 200, rng()) == set(detours(case))


MEAN = 'self.minimal_roi = {0: 1 + dataframe["close"].mean() / 1e9}'


@pytest.mark.parametrize("indicators", [SIX_HOURS, MEAN], ids=["signals", "a parameter"])
def test_at_a_detour_foresight_decides_otherwise(arena, indicators):
    case = made(arena, indicators=indicators)
    assert len(lookahead.detoured(case, detours(case), 200, rng())) <= 2
