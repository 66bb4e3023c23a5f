"""
What belongs to the arena is missed by name when a strategy changed it, in a real run; what strategies honestly do is
not.
"""

import re

import pytest
from arenas import SHORT, prepared, sampled, strategy

from arena.errors import IntegrityError, StrategyError
from arena.evaluation import context
from arena.ledger import strategy_files
from arena.sandbox import client


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    settings = prepared(tmp_path_factory.mktemp("arena"), arena=SHORT | {"limits": {"seconds": 60}})
    client.warm_up()
    return context.open_arena(settings, record=False)


def ran(arena, change=lambda text: text, **parts):
    """The claim of a strategy made of these parts, whose text may be changed."""
    file = strategy(arena.settings, "Probe", **parts)
    file.write_text(change(file.read_text()))
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    file.unlink()
    return client.backtest(
        told, arena.settings, client.Task("backtest", arena.settings.search, arena.markets), arena.tables
    )


def refusal(arena, change=lambda text: text, **parts):
    with pytest.raises(IntegrityError) as caught:
        ran(arena, change, **parts)
    assert str(caught.value).startswith("integrity: ")
    return str(caught.value).removeprefix("integrity: ")


FIND = (
    "import gc, sys, types, builtins, json, os\nimport numpy as np\nimport pandas as pd\n"
    "import freqtrade.optimize.backtesting as engine\nimport freqtrade.persistence as persistence\n"
    "import freqtrade.data.metrics, freqtrade.wallets\n"
    "bt = next(o for o in gc.get_objects() if type(o) is engine.Backtesting)\n"
)
CHANGED = {
    "the fee in the configuration": ("self.config['fee'] = 0.0", "config.fee is 0.0, the arena's is 0.001"),
    "the fee": ("bt.fee = 0.0", "fee is 0.0, the arena's is 0.001"),
    "the wallet": ("self.config['dry_run_wallet'] = 77", "config.dry_run_wallet is 77, the arena's is 10000"),
    "the stake": ("self.config['stake_amount'] = 5", "config.stake_amount is 5, the arena's is 'unlimited'"),
    "the slots in the "
    "configuration": ("self.config['max_open_trades'] = 9", "config.max_open_trades is 9, the arena's is 2"),
    "the slots": ("self.max_open_trades = 9", "max_open_trades is 9, the arena's is 2"),
    "the timerange": ("self.config['timerange'] = "
                      "'20210601-20210701'", "config.timerange is '20210601-20210701', the arena's is '20210301-'"),
    "the pairs in the "
    "configuration": ("self.config['exchange']['pair_whitelist'] = ['BTC/USDT']", "config.exchange is {'name'"),
    "the pairs": ("bt.pairlists._whitelist = "
                  "['BTC/USDT']", "pairs is ['BTC/USDT'], the arena's is ['BTC/USDT', 'ETH/USDT']"),
    "stacking": ("bt._position_stacking = True", "position_stacking is True, the arena's is False"),
    "a function of pandas": ("keep = pd.Series.shift\npd.Series.shift = lambda *a, **k: keep(*a, "
                             "**k)", "replaces Series.shift"),
    "an inherited one": ("keep = pd.Series.head\npd.Series.head = lambda *a, **k: keep(*a, "
                         "**k)", "replaces (Series|NDFrame).head"),
    "one of numpy": ("keep = np.mean\nnp.mean = lambda *a, **k: keep(*a, **k)", "replaces numpy.mean"),
    "one that is compiled": ("keep = np.log\nnp.log = lambda *a, **k: keep(*a, **k)", "replaces numpy.log"),
    "one of json": ("keep = json.dumps\njson.dumps = lambda *a, **k: keep(*a, **k)", "replaces json.dumps"),
    "one of os": ("keep = os.write\nos.write = lambda *a: keep(*a)", "replaces os.write"),
    "a builtin": ("keep = builtins.sum\nbuiltins.sum = lambda *a, **k: keep(*a, **k)", "replaces builtins.sum"),
    "a name in builtins": ("builtins.noted = 1", "leaves 'noted' in builtins"),
    "the engine": ("keep = engine.Backtesting._get_order_filled\nengine.Backtesting._get_order_filled = lambda *a: "
                   "keep(*a)", "replaces Backtesting._get_order_filled"),
    "the engine's instance": ("keep = bt._get_order_filled\nbt._get_order_filled = lambda *a: "
                              "keep(*a)", "replaces Backtesting._get_order_filled"),
    "profit": (
        "keep = persistence.LocalTrade.calc_profit_ratio\npersistence.LocalTrade.calc_profit_ratio = lambda *a, **k: "
        "keep(*a, **k)",
        "replaces LocalTrade.calc_profit_ratio",
    ),
    "orders": ("keep = persistence.Order.close_bt_order\npersistence.Order.close_bt_order = lambda *a: "
               "keep(*a)", "replaces Order.close_bt_order"),
    "a property of trades": ("persistence.LocalTrade.open_date_utc = property(lambda trade: "
                             "trade.open_date)", "replaces LocalTrade.open_date_utc"),
    "the wallet's sums": ("keep = freqtrade.wallets.Wallets.get_total\nfreqtrade.wallets.Wallets.get_total = lambda "
                          "*a: keep(*a)", "replaces Wallets.get_total"),
    "a metric": ("keep = freqtrade.data.metrics.calculate_sharpe\nfreqtrade.data.metrics.calculate_sharpe = lambda "
                 "*a: 9.0", "replaces freqtrade.data.metrics.calculate_sharpe"),
    "locks": ("persistence.PairLocks.is_pair_locked = staticmethod(lambda *a, **k: "
              "False)", "replaces PairLocks.is_pair_locked"),
    "a module": ("sys.modules['json'] = types.ModuleType('json')", "puts another module in the place of json"),
    "the arena's module": ("import arena.sandbox.worker.recorder\nkeep = "
                           "arena.sandbox.worker.recorder.Recorder\narena.sandbox.worker.recorder.Recorder = type('R', "
                           "(keep,), {})", "replaces arena.sandbox.worker.recorder.Recorder"),
    "a trace": ("sys.settrace(lambda *a: None)", "sets a trace or profile function"),
    "a profile": ("sys.setprofile(lambda *a: None)", "sets a trace or profile function"),
    "an internal of the instance": ("self.should_exit = lambda *a, **k: []", "overrides should_exit"),
    "an internal of the base "
    "class": ("keep = type(self).__mro__[1].min_roi_reached\ntype(self).__mro__[1].min_roi_reached = "
              "keep.__get__(None, object) if 0 else (lambda *a, **k: keep(*a, "
              "**k))", "replaces IStrategy.min_roi_reached"),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    sampled(CHANGED, {"the fee in the configuration", "the fee", "the pairs", "one of numpy", "profit", "a trace"}),
)
def test_what_is_changed_is_named(arena, name):
    code, message = CHANGED[name]
    said = refusal(arena, indicators=FIND + code)
    assert re.search(message, said) if "(" in message else message in said


OVERRIDES = {
    "should_exit": "def should_exit(self, *args, **kwargs):\n    return super().should_exit(*args, **kwargs)",
    "advise_entry": "def advise_entry(self, dataframe, metadata):\n    return super().advise_entry(dataframe, "
    "metadata)",
    "min_roi_reached": "def min_roi_reached(self, *args, **kwargs):\n    return super().min_roi_reached(*args, "
    "**kwargs)",
    "ft_stoploss_reached": "def ft_stoploss_reached(self, *args, **kwargs):\n    return "
    "super().ft_stoploss_reached(*args, **kwargs)",
    "is_pair_locked": "def is_pair_locked(self, pair, **kwargs):\n    return False",
    "__getattribute__": "def __getattribute__(self, name):\n    return super().__getattribute__(name)",
    "__getattr__": "def __getattr__(self, name):\n    raise AttributeError(name)",
    "__setattr__": "def __setattr__(self, name, value):\n    super().__setattr__(name, value)",
}


@pytest.mark.parametrize("name", sampled(OVERRIDES, {"is_pair_locked"}))
def test_what_is_freqtrades_own_cannot_be_overridden(arena, name):
    assert refusal(arena, callbacks=OVERRIDES[name]) == f"overrides {name}, which is FreqTrade's own"


REFUSED = {
    "a callback that is another one at every look": (
        {"callbacks": "@property\ndef custom_exit(self):\n    return lambda **words: None"},
        "a callback is another one whenever FreqTrade asks for it",
    ), "an answer with a truth of its own": (
        {"extra": "class Answer:\n    def __bool__(self):\n        return "
                  "False", "callbacks": "def custom_exit(self, pair, trade, **kwargs):\n    return self.Answer()"},
        "custom_exit answers an Answer; answers are numbers, texts, True, False or None",
    ), "a configuration of its own": ({"indicators": "self.config = dict(self.config)"},
    "config is not the one that FreqTrade "
    "gave"), "what the configuration leaves out": ({"indicators": "self.config['available_capital'] = 1e6"},
    "config.available_capital is 1000000.0, the arena's configuration leaves it out"), "a live value in it": (
        {"indicators": "self.config['fee'] = type('Fee', (float,), {'__eq__': lambda *_: True, '__hash__': None})(0)"},
        "config.fee is no plain value: it holds a Fee, the arena's is 0.001",
    ), "an object in the place of a "
       "method": ({"indicators": "import functools\nself.should_exit = functools.partial(type(self).should_exit, "
                                 "self)"},
    "overrides should_exit, which is "
    "FreqTrade's own"), "another class": ({"indicators": "self.__class__ = type('Probe', (type(self),), {}) if "
                                                         "type(self).__base__.__name__ == 'IStrategy' else type(self)"},
    "puts another strategy in the place of the one that was loaded"), "settings at the end of the run": (
        {"callbacks": "def confirm_trade_exit(self, *args, **kwargs):\n    self.minimal_roi = type('Roi', (dict,), "
                      "{})({0: 9})\n    return True"},
        "minimal_roi holds a Roi; settings are plain numbers, texts, True, False, None, lists and dicts",
    ), "protections of its own": (
        {"extra": "class Word(str):\n    pass\nprotections = [{'method': 'CooldownPeriod', 'stop_duration_candles': 3, "
                  "'note': Word('x')}]"},
        "protections holds a Word; settings are plain numbers, texts, True, False, None, lists and dicts",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    sampled(REFUSED, {"an answer with a truth of its own", "a live value in it", "settings at the end of the run"}),
)
def test_what_could_answer_for_itself_is_refused_by_name(arena, name):
    parts, said = REFUSED[name]
    assert refusal(arena, **parts) == said


STAGES = ("populate_indicators", "populate_entry_trend", "populate_exit_trend")


@pytest.mark.parametrize("stage", sampled(STAGES, {"populate_exit_trend"}))
def test_each_populate_function_returns_the_candles_that_it_was_given(arena, stage):
    """Also for one pair alone; FreqTrade looks after the indicators, and can be told not to."""
    gives = (
        f"def {stage}(self, dataframe, metadata):\n    return dataframe.iloc[:-1] if metadata['pair'] == "
        f"'ETH/USDT' else dataframe"
    )
    said = refusal(arena, extra="disable_dataframe_checks = True", callbacks=gives)
    assert said == "ETH/USDT: the rows of the strategy's frame are not the arena's candles, from 2021-05-01 00:00 on"


def test_every_run_shows_the_same_timerange(arena):
    """The search's own, and one that reaches beyond it, as a look has."""
    shown = "raise ValueError(str(self.config['timerange']) + str(self.dp._DataProvider__slice_date))"
    file = strategy(arena.settings, "Probe", indicators=shown)
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    file.unlink()
    said = set()
    for window in (arena.settings.search, arena.beyond()[1]):
        with pytest.raises(StrategyError) as caught:
            client.backtest(told, arena.settings, client.Task("backtest", window, arena.markets), arena.tables)
        said.add(str(caught.value))
    assert said == {"ValueError: 20210301-None"}


def test_nor_by_a_base_class(arena):
    mixin = (
        "class Base:\n    def should_exit(self, *args, **kwargs):\n        return super().should_exit(*args, "
        "**kwargs)\n\n\nclass Probe(Base, IStrategy):"
    )
    assert "overrides should_exit" in refusal(arena, lambda text: text.replace("class Probe(IStrategy):", mixin))


def test_a_metaclass_is_refused(arena):
    meta = "class Meta(type(IStrategy)):\n    pass\n\n\nclass Probe(IStrategy, metaclass=Meta):"
    said = refusal(arena, lambda text: text.replace("class Probe(IStrategy):", meta))
    assert said == "the class has a metaclass of its own, Meta"


@pytest.mark.parametrize("price", sampled(["open", "high", "low", "close"], {"high", "close"}))
def test_a_changed_price_is_named_with_pair_candle_and_both_values(arena, price):
    other = 12.5 if price in ("open", "high") else 99999.5
    changes = (
        f'when = (dataframe["date"] == "2021-04-01 05:00") & (metadata["pair"] == '
        f'"ETH/USDT")\ndataframe.loc[when, "{price}"] = {other}'
    )
    table = arena.tables["ETH/USDT"]
    row = table[table[:, 0] == 1_617_253_200_000][0]
    value = row[1 + ["open", "high", "low", "close"].index(price)]
    said = refusal(arena, indicators=changes)
    assert said == f"ETH/USDT 2021-04-01 05:00 {price} is {other} in the strategy's frame, the arena's is {value:.10g}"


def test_the_smallest_change_of_a_price_is_seen_and_of_volume_none(arena):
    assert "close is" in refusal(
        arena,
        indicators='dataframe.loc[1000, "close"] = np.nextafter(dataframe.loc[1000, "close"], 0)\n',
        extra="",
        change=numpy,
    )
    assert ran(arena, indicators='dataframe["volume"] = 0.0').trades > 20


def numpy(text):
    return text.replace("import talib", "import numpy as np\nimport pandas as pd\nimport talib", 1)


ROWS = {
    "one that is missing": "return dataframe.drop(index=1000)",
    "one that comes twice": "return pd.concat([dataframe.iloc[:1000], dataframe.iloc[999:]], ignore_index=True)",
    "another order": "return dataframe.iloc[::-1].reset_index(drop=True)",
    "other dates": "dataframe['date'] += pd.Timedelta(hours=1)\n    return dataframe",
    "one date": "dataframe.loc[1000, 'date'] += pd.Timedelta(minutes=1)\n    return dataframe",
    "half of them": "return dataframe.iloc[::2].reset_index(drop=True)",
}


@pytest.mark.parametrize("name", sampled(ROWS, {"one that is missing", "another order", "one date"}))
def test_rows_that_are_not_the_arenas_are_refused_with_the_first_of_them(arena, name):
    gives = (
        f"def populate_exit_trend(self, dataframe, metadata):\n    dataframe.loc[dataframe['fast'] < "
        f"dataframe['slow'], 'exit_long'] = 1\n    {ROWS[name]}"
    )
    said = refusal(arena, numpy, extra="disable_dataframe_checks = True", callbacks=gives)
    assert re.fullmatch(
        r"BTC/USDT: the rows of the strategy's frame are not the arena's candles, from 2021-\d\d-\d\d \d\d:\d\d on",
        said,
    )


@pytest.mark.parametrize("column", sampled(["close", "date"], {"date"}))
def test_a_column_that_is_gone_is_refused(arena, column):
    gives = (
        f"def populate_exit_trend(self, dataframe, metadata):\n    dataframe['{column}'] = 'x'\n    return dataframe"
    )
    with pytest.raises(Exception, match=rf"date or prices are gone|could not convert|{column}|Can only use"):
        ran(arena, callbacks=gives)


HONEST = {
    "protections as a property": {
        "extra": "@property\ndef protections(self):\n    return [{'method': 'CooldownPeriod', 'stop_duration_candles': "
                 "self.pause}]\npause = 3"
    }, "attributes of the instance": {
        "callbacks": "def bot_start(self, **kwargs):\n    self.seen, self.notes, self.score = {}, [], (lambda x: x + "
                     "1)\n" "    self.stoploss = -0.05\n    self.minimal_roi = {0: 0.05}\n    self.trailing_stop = True"
    }, "helpers of its own": {
        "extra": "import functools, dataclasses, enum\nclass Mode(enum.Enum):\n    UP = "
                 "1\n@dataclasses.dataclass\nclass Note:\n    n: " "int " "= 0\n" "@staticmethod\ndef double(x):\n    return 2 * x\n@classmethod\ndef named(cls):\n    "
                                "return "
                         "cls.__name__\n@property\ndef half(self):\n    " "return " "0.5\n" "@functools.cached_property\ndef table(self):\n    return [1, 2]\ndef "
                                           "_private(self, x):\n    return self.double(x)",
        "indicators": "assert self._private(2) == 4 and self.named() == 'Probe' and self.half == 0.5 and self.table == "
                      "[1, 2]",
    }, "__init__ that calls "
       "super": {"extra": "def __init__(self, config):\n    super().__init__(config)\n    self.cache "
                          "= {}"}, "__repr__ and __len__": {"extra": "def __repr__(self):\n    return 'mine'\ndef "
                                                                     "__len__(self):\n    " "return 3"}, "what FreqTrade's template has": {
        "extra": "INTERFACE_VERSION = 3\nprocess_only_new_candles = True\nuse_exit_signal = True\nexit_profit_only = "
                 "False\nignore_roi_if_entry_signal = " "False\n" "order_types = {'entry': 'limit', 'exit': 'limit', 'stoploss': 'market', "
                           "'stoploss_on_exchange': " "False}\n" "order_time_in_force = {'entry': 'GTC', 'exit': 'GTC'}\nplot_config = "
                                      "{'main_plot': {'fast': {}}}\nbuy_params = {'n': 3}\nmax_open_trades " "= 2\n" "def version(self):\n    return '7'\ndef informative_pairs(self):\n    "
                                              "return [('BTC/USDT', '4h')]"
    }, "hyperopt spaces": {
        "extra": "from freqtrade.strategy import IntParameter\nbuy_n = IntParameter(1, 9, default=3)\nclass "
                 "HyperOpt:\n    @staticmethod\n    def generate_roi_table(params):\n        return {0: 1}",
        "indicators": "assert self.buy_n.value == 3 and list(self.buy_n.range) == [3]",
    }, "columns of its own": {"indicators": "dataframe['x'] = dataframe['close'].shift(1)\ndataframe['y'] = "
                                            "None\ndataframe.attrs['n'] = 1"}, "a copy of the frame": {"indicators": "dataframe = dataframe.copy()\ndataframe.index = "
                                                                                                                     "dataframe.index.astype('int64')"}, "integers as prices": {"indicators": "dataframe['close'] = dataframe['close'].astype(object)"}, "warnings and options": {"indicators": "import warnings, logging\nwarnings.filterwarnings('ignore')\nlogging.getLogger().setLevel('ERROR')\npd.options.mode.copy_on_write = False"}, "modules that it imports first": {"indicators": "import colorsys, fractions, scipy.signal, statistics, xml.dom\nassert statistics.mean([1, 2]) == 1.5"}, "accessors of pandas": {
        "indicators": "@pd.api.extensions.register_dataframe_accessor('mine')\nclass Mine:\n    def __init__(self, "
                      "frame):\n        self.frame = frame\nassert dataframe.mine.frame is not None"
    },
    "a sum named _": {"indicators": "for _ in range(3):\n    pass"},
}  # fmt: skip


@pytest.mark.parametrize("name", sampled(HONEST, {"helpers of its own", "hyperopt spaces", "integers as prices"}))
def test_what_strategies_honestly_do_is_not_refused(arena, name):
    assert ran(arena, numpy, **HONEST[name]).trades > 20


def test_a_mixin_is_no_override(arena):
    mixin = (
        "class Base:\n    level = 3\n    def helper(self):\n        return self.level\n\n\nclass "
        "Middle(Base):\n   "
        " stoploss = -0.05\n    def version(self):\n        return '1'\n\n\nclass Probe(Middle, IStrategy):"
    )
    assert ran(arena, lambda text: text.replace("class Probe(IStrategy):", mixin)).trades > 20
