"""
All that FreqTrade asks a strategy is known by name, taken from its source; settings are told by type and value, to
their ends.
"""

import ast
import types
from pathlib import Path

import freqtrade
import numpy as np
import pytest
from freqtrade.strategy import CategoricalParameter, IntParameter, IStrategy
from freqtrade.strategy.hyper import HyperStrategyMixin

from arena import decisions
from arena.errors import IntegrityError
from arena.sandbox import messages
from arena.sandbox.worker import integrity, parameters, recorder

SOURCE = Path(freqtrade.__file__).parent
STRATEGY = ast.parse((SOURCE / "strategy" / "interface.py").read_text())
CLASS = next(node for node in STRATEGY.body if isinstance(node, ast.ClassDef) and node.name == "IStrategy")
METHODS = {node.name: node for node in CLASS.body if isinstance(node, ast.FunctionDef)}
LOOP = ("optimize/backtesting.py", "wallets.py", "data/dataprovider.py", "strategy/hyper.py", "strategy/informative_decorator.py", "strategy/strategy_helper.py",
        "resolvers/strategy_resolver.py", "persistence", "plugins")  # fmt: skip
"""What of FreqTrade holds a strategy in a backtest."""
OWNERS = ("strategy", "self.strategy", "self._strategy", "strat")

ENGINE = {
    "_adjust_trade_position_internal", "_analyze_ticker_internal", "_if_enabled_populate_trades",
    "__informative_pairs_freqai", "advise_all_indicators", "advise_entry", "advise_exit", "advise_indicators",
    "analyze", "analyze_pair", "analyze_ticker", "ft_advise_signals", "ft_bot_cleanup", "ft_bot_start",
    "ft_check_timed_out", "ft_load_hyper_params", "ft_plot_annotations", "ft_set_special_params_from_file",
    "ft_stoploss_adjust", "ft_stoploss_reached", "gather_informative_pairs", "get_entry_signal", "get_exit_signal",
    "get_latest_candle", "get_strategy_name", "ignore_expired_candle", "is_pair_locked", "load_freqAI_model",
    "lock_pair", "min_roi_reached", "min_roi_reached_entry", "should_exit", "unlock_pair", "unlock_reason",
}  # fmt: skip
"""FreqTrade's own methods: overriding one is refused."""
FREQAI = {
    "feature_engineering_expand_all", "feature_engineering_expand_basic", "feature_engineering_standard",
    "populate_any_indicators", "set_freqai_targets", "freqai", "freqai_info",
}  # fmt: skip
GIVEN = {
    "config", "dp", "wallets", "market_direction", "__class__", "__file__", "__source__", "__last_candle_seen_per_pair",
    "_cached_grouped_trades_per_pair", "_ft_informative", "_ft_informative_cache", "_ft_params_from_file",
}  # fmt: skip
"""What FreqTrade itself puts there; in a backtest's loop it reads the configuration alone, which the guard compares."""
SILENT = {
    "populate_indicators", "populate_entry_trend", "populate_exit_trend", "populate_buy_trend", "populate_sell_trend",
    "bot_start", "informative_pairs", "version", "plot_config", "plot_annotations", "process_only_new_candles",
    "disable_dataframe_checks", "INTERFACE_VERSION", "__init__",
}  # fmt: skip
"""What a strategy may define and what decides nothing while candles pass."""
KNOWN = set(decisions.CALLBACKS) | set(parameters.SETTINGS) | ENGINE | FREQAI | GIVEN | SILENT


def asked():
    """Names that FreqTrade reads of a strategy, in the interface itself and wherever it holds one."""
    trees = [(CLASS, ("self",))]
    for place in LOOP:
        path = SOURCE / place
        trees += [
            (ast.parse(file.read_text()), OWNERS) for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))
        ]
    for tree, owners in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in owners:
                yield node.attr
    yield from METHODS
    for node in CLASS.body:
        if isinstance(node, ast.AnnAssign | ast.Assign):
            yield ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])


def test_whatever_freqtrade_asks_a_strategy_is_known_by_name():
    """A FreqTrade that asks more is not understood until somebody has said what that decides."""
    found = set(asked())
    assert {"custom_sell", "min_roi_reached_entry", "_ft_stop_uses_after_fill", "protections"} <= found
    assert found - KNOWN == set()


def test_what_is_freqtrades_own_is_refused_and_what_decides_is_not_taken_for_that():
    refused = {name for cls in (IStrategy, HyperStrategyMixin) for name in vars(cls)} - integrity.OWN
    assert {name for name in ENGINE if not name.startswith("__")} <= refused
    assert not refused & (SILENT | set(parameters.SETTINGS) | set(decisions.CALLBACKS) - {"lock_pair"})


def test_every_callback_that_freqtrade_asks_is_one():
    """Whatever the loop calls on the way, by its new name or by an old one."""
    called = {
        name for name in METHODS if name.startswith(("custom_", "check_", "confirm_", "adjust_", "order_", "bot_loop_"))
    } | {"leverage"}
    assert called == set(decisions.CALLBACKS) - {"lock_pair"}


def test_names_under_which_a_default_asks_again_are_those_of_freqtrade():
    found = {}
    for name in decisions.CALLBACKS:
        others = [
            node.func.attr
            for node in ast.walk(METHODS[name])
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("self.")
        ]
        if others:
            found[name] = tuple(others)
    assert found == recorder.PASSED_ON


# ---- settings ----


class Live(float):
    def __lt__(self, other):
        return True


class Word(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class Deep(dict):
    pass


def probe(**settings):
    """A strategy of which the settings alone are there."""
    made = type("Probe", (IStrategy,), {"timeframe": "1h", "stoploss": -0.1, **settings.pop("on_class", {})})
    made.__abstractmethods__ = frozenset()
    strategy = object.__new__(made)
    vars(strategy).update({"config": {"unfilledtimeout": {"exit": 10}}, **settings})
    return strategy


LIVE = {
    "a float": ("stoploss", Live(-0.1), "a Live"),
    "in a table": ("minimal_roi", {0: Live(0.1)}, "a Live"),
    "as a key": ("minimal_roi", {Live(0): 0.1}, "a Live"),
    "a dict of its own": ("minimal_roi", Deep({0: 0.1}), "a Deep"),
    "a truth of its own": ("use_exit_signal", types.SimpleNamespace(), "a SimpleNamespace"),
    "a text of its own": ("order_types", {"entry": Word("limit")}, "a Word"),
    "deep inside": ("order_time_in_force", {"entry": ["GTC", (Word("x"),)]}, "a Word"),
    "a function": ("position_adjustment_enable", lambda: True, "a function"),
    "behind FreqTrade's back": ("_ft_stop_uses_after_fill", types.SimpleNamespace(), "a SimpleNamespace"),
}


@pytest.mark.parametrize("case", LIVE)
def test_a_setting_that_is_not_plain_is_refused_by_name(case):
    name, value, kind = LIVE[case]
    with pytest.raises(IntegrityError, match=f"integrity: {name} holds {kind}; settings are plain numbers"):
        parameters.parameters(probe(**{name: value}))


def test_a_list_in_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(IntegrityError, match="order_types nests too deep"):
        parameters.parameters(probe(order_types=endless))


def test_a_timeout_is_told_as_the_loop_reads_it():
    assert parameters.parameters(probe(unfilledtimeout={"exit": 99}))["unfilledtimeout"] == "{'exit': 10}"
    with pytest.raises(IntegrityError, match="unfilledtimeout holds a Live"):
        parameters.parameters(probe(config={"unfilledtimeout": {"exit": Live(1)}}))


def test_numpys_numbers_are_plain():
    told = parameters.parameters(
        probe(stoploss=np.float64(-0.1), startup_candle_count=np.int64(30), use_exit_signal=np.bool_(True))
    )
    assert (told["stoploss"], told["startup_candle_count"], told["use_exit_signal"]) == ("-0.1", "30", "True")


def test_a_long_setting_is_told_to_its_end():
    """Two tables that differ in their last row alone are two."""
    tables = [dict.fromkeys(range(1000, 2000), 0.1) | {2000: last} for last in (0.2, 0.3)]
    first, second = (parameters.parameters(probe(minimal_roi=table))["minimal_roi"] for table in tables)
    assert first != second and first[:50] == second[:50] and max(map(len, (first, second))) <= messages.MAX_PARAMETER
    assert first == parameters.parameters(probe(minimal_roi=dict(reversed(tables[0].items()))))["minimal_roi"]


def test_no_hyperopt_parameter_is_left_out_however_many_there_are():
    def told(last):
        many = {
            f"buy_{k:04}": IntParameter(0, 9, default=1, space="buy") for k in range(parameters.MAX_PARAMETERS + 50)
        }
        many["buy_9999"] = IntParameter(0, 9, default=last, space="buy")
        return parameters.parameters(probe(on_class=many))

    assert told(1) == told(1) != told(2)
    assert len(told(1)) <= 1000


def test_a_parameter_that_is_an_object_is_told_without_its_address():
    choice = {"buy_way": CategoricalParameter([min, lambda: 1], default=lambda: 1, space="buy")}
    assert parameters.parameters(probe(on_class=choice))["buy_way.value"] == "a function"
