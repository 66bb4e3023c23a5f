"""
Briefs: read and refused with line and key, told in words, checked in sources, asked for on a terminal, and played with
in real runs.
"""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from arenas import ROOT, command
from driven import check, drive, source, transcript, worktree
from endpoint import Endpoint, Said
from waiting import PATIENCE_S, until

import drive as commands
from arena import settings
from arena.errors import ArenaError
from arena.records import Metrics, Result
from loop.agents.genetic import Genetic, Random
from loop.agents.genome.grammar import SCALARS, Bounds, Grammar
from loop.agents.genome.writing import genome_of
from loop.agents.genome.writing import source as written
from loop.brief import compliance, grammar_bounds, reading, wizard
from loop.brief.indicators import SHOWN_BY, TALIB, shown
from loop.brief.reading import Brief
from loop.protocol import Change, Proposal, Tried

SHIPPED = settings.load(ROOT / "config.json")
EXAMPLES = sorted((ROOT / "examples" / "briefs").glob("*.toml"))


def parsed(text):
    return reading.parse(text, SHIPPED)


def refused(text):
    with pytest.raises(ArenaError) as caught:
        parsed(text)
    return str(caught.value)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_is_valid_in_the_shipped_arena(file):
    made = reading.load(str(file), SHIPPED)
    assert made != Brief() and reading.in_words(made, SHIPPED)


def test_there_is_an_example_of_each_kind():
    made = {file.stem: reading.load(str(file), SHIPPED) for file in EXAMPLES}
    assert made["trend_with_stop"].families[0] == "trend" and made["trend_with_stop"].risk.stop
    assert made["reversion_two_pairs"].families == ("reversion",) and len(made["reversion_two_pairs"].pairs) == 2
    assert made["volatility_sized"].sizing.method == ("volatility",)
    words = [name for name, one in made.items() if not one.model_dump(exclude_defaults=True, exclude={"title", "text"})]
    assert words == ["words_only"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('title = "a"\npear = "x"', "brief.toml, line 2: unknown key pear. Did you mean 'pairs'?"),
        ('[[entry]]\nindicator = "RSI"\n[[entry]]\nperiod = 3', "line 3: entry.2.indicator is missing."),
        (
            '[[entry]]\nindicator = "RSI"\n[[entry]]\nindicatr = "RSI"',
            "line 4: unknown key entry.2.indicatr. Did you mean 'indicator'?",
        ),
        (
            '[[entry]]\nindicator = "RSI"\n\n[[entry]]\nindicator = "RSI"\nperiods = 3',
            "line 6: unknown key entry.2.periods. Did you mean 'period'?",
        ),
        ("[risk]\nstopp = 0.1", "line 2: unknown key risk.stopp. Did you mean 'stop'?"),
        ('pairs = ["BTC/USDT", "ETC/USDT"]', "line 1: pairs.2: 'ETC/USDT' is no pair of this arena. Did you mean"),
        ('timeframes = ["4h", "3d"]', "'3d' is no timeframe of this arena. Did you mean '1d'?"),
        (
            '[[exit]]\nindicator = "RSII"',
            "line 2: exit.1.indicator.1: 'RSII' is no indicator that is known here. Did you mean 'RSI'?",
        ),
        (
            '[[entry]]\nindicator = "RSI"\noperator = "bellow"\nthreshold = 3',
            "line 3: entry.1.operator.1: 'bellow' is no operator. Did you mean 'below'?",
        ),
        ('[[entry]]\nindicator = "RSI"\noperator = "below"', "line 1: entry.1: below needs a threshold"),
        ('[[entry]]\nindicator = "RSI"\nthreshold = 30', "a threshold needs an operator of above, below"),
        ('families = "trends"', "'trends' is no family. Did you mean 'trend'?"),
        ("[risk]\nstop = [3, 10]", "line 2: risk.stop.1 is 3: Input should be less than 1. Fractions: 0.05 is 5 %."),
        ("[risk]\nstop = [0.1, 0.03]", "0.1 to 0.03 is no range: the smaller one comes first"),
        ('[risk]\ntrailing = "yes"', "risk.trailing is 'yes': Input should be a valid boolean"),
        ("max_strategies = 4", "max_strategies is 4, arena.max_strategies is 3"),
        ("slots = 6", "slots is 6, max_open_trades of the arena is 5"),
        (
            'timeframes = []\n[[entry]]\nindicator = "RSI"\ntimeframe = "4h"',
            "row 1 of entry looks at 4h, which timeframes leaves out",
        ),
        ("title = a trend", "brief.toml is not TOML: Invalid value (at line 1, column 9). Words go into quotes"),
        ("text = 3", "line 1: text is 3: Input should be a valid string."),
        ('entry = "RSI below 30"', "line 1: entry"),
    ],
)
def test_what_is_wrong_is_told_with_line_key_and_what_instead(text, words):
    assert words in refused(text)


def test_one_value_and_a_choice_are_read_alike():
    one, many = (
        parsed('pairs = "BTC/USDT"\n[entry]\nindicator = "bollinger bands"'),
        parsed('pairs = ["BTC/USDT"]\n[[entry]]\nindicator = ["BBANDS"]'),
    )
    assert one == many
    assert parsed("[risk]\nstop = 0.05").risk.stop == (0.05, 0.05)


def test_the_words_of_a_brief_hold_all_that_is_asked_for():
    made = parsed(
        'title = "T"\ntext = "calm"\npairs = ["BTC/USDT"]\ntimeframes = ["4h"]\nfamilies = ["trend", '
        '"volume"]\nmax_strategies = 1\nslots = 1\n'
        '[[entry]]\nindicator = ["RSI", "MFI"]\nperiod = [7, 14]\noperator = "below"\nthreshold = [20, 30]\ntimeframe '
        '= "4h"\n'
        '[[exit]]\nindicator = "EMA"\noperator = "crosses_above"\nthreshold = "close"\nrequired = false\n'
        '[sizing]\nmethod = ["share", "volatility"]\nshare = [0.25, 0.5]\n[risk]\nstop = [0.02, 0.1]\ntake_profit = '
        "0.2\ntrailing = true\nmax_drawdown = 0.25"
    )
    assert reading.in_words(made, SHIPPED).splitlines() == [
        "T",
        "calm",
        "- trade BTC/USDT alone: pair_basket = ['BTC/USDT'] or fewer of them",
        "- besides 1h, look at 4h",
        "- paradigm: trend or volume",
        "- at most 1 strategy at a time",
        "- at most 1 positions at a time: a pair_basket that small, or a confirm_trade_entry that counts them",
        "- enter when RSI or MFI of 7 or 14 candles is below 20 or 30 on 4h (required)",
        "- leave when EMA crosses above close (a suggestion)",
        "- stake: a part of what is proposed or less while the pair moves more than usual",
        "- of what is proposed, stake 0.25 or 0.5",
        "- stop-loss: 2 % to 10 % below the entry, written as a number, for example stoploss = -0.1",
        '- take profit at 20 %, as the entry "0" of minimal_roi',
        "- with a stop that follows the price",
        "- max_drawdown_pct no deeper than 25 %",
    ]


def test_a_file_is_read_and_what_is_no_file_is_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text('text = "from a file"')
    assert reading.load("mine.toml", SHIPPED).text == "from a file"
    assert reading.load("few trades, please", SHIPPED) == Brief(text="few trades, please")
    assert reading.load("words " * 2000, SHIPPED).text.startswith("words words")
    assert reading.load("word " * 100, SHIPPED).text.endswith("word word")
    assert reading.load("", SHIPPED) == Brief()
    assert reading.in_words(Brief(text="as it was\nwritten"), SHIPPED) == "as it was\nwritten"
    with pytest.raises(ArenaError, match=r"there is no brief mein\.toml\. Did you mean mine\.toml\?"):
        reading.load("mein.toml", SHIPPED)
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ArenaError, match="is not UTF-8 text"):
        reading.load("odd.toml", SHIPPED)


def test_indicators_that_are_known_are_talibs():
    talib = pytest.importorskip("talib")
    assert set(TALIB) <= set(talib.get_functions())


@pytest.mark.parametrize(
    ("code", "indicator"),
    [
        ("ta.RSI(dataframe, timeperiod=14)", "RSI"),
        ("talib.abstract.Function('ADX')(dataframe)", "ADX"),
        ("EMA(dataframe['close'])", "EMA"),
        ("dataframe['close'].ewm(span=8).mean()", "EMA"),
        ("dataframe['high'].rolling(20).max().shift(1)", "DONCHIAN"),
        ("qtpylib.bollinger_bands(typical, window=20)", "BBANDS"),
        ("dataframe['volume'] > 0", "VOLUME"),
        ("dataframe['date'].dt.dayofweek == 5", "WEEKDAY"),
    ],
)
def test_an_indicator_shows_in_its_name_or_in_how_it_is_made(code, indicator):
    assert indicator in shown(code) and indicator in SHOWN_BY
    assert indicator not in shown("x = ta.OBV(dataframe)") and not shown("def (")


BASKET = 'pair_basket = ["BTC/USDT", "ETH/USDT"]'
KEPT = [
    ("", source("A")),
    ('pairs = ["BTC/USDT", "ETH/USDT"]', source("A", extra=BASKET)),
    ("slots = 2", source("A", extra=BASKET)),
    ("timeframes = []", source("A")),
    ('[[entry]]\nindicator = ["RSI", "EMA"]\ntimeframe = "1h"', source("A")),
    ('[[entry]]\nindicator = "RSI"\nrequired = false', source("A")),
    ('[sizing]\nmethod = "full"', source("A")),
    ("[risk]\nstop = 0.1\ntrailing = false\ntake_profit = [0.5, 0.9]", source("A").replace('{"0": 10}', '{"0": 0.6}')),
    ("[risk]\nstop = [0.01, 0.02]", "this is (no Python"),
]
BROKEN = [
    (
        'pairs = ["BTC/USDT"]',
        source("A", extra=BASKET),
        "it trades ETH/USDT. The brief wants pair_basket = ['BTC/USDT'], or fewer",
    ),
    (
        'pairs = ["BTC/USDT", "ETH/USDT"]',
        source("A"),
        "it trades SOL/USDT, BNB/USDT, AVAX/USDT. The brief wants pair_basket",
    ),
    ("slots = 1", source("A", extra=BASKET), "it may hold 2 positions. The brief wants at most 1"),
    ('timeframes = ["1d"]', source("A", extra='other = "4h"'), "it looks at 4h. Besides 1h the brief allows 1d"),
    (
        '[[entry]]\nindicator = ["RSI", "ADX"]',
        source("A"),
        "there is no RSI or ADX in it, which the brief wants for its entry",
    ),
    (
        '[[exit]]\nindicator = "EMA"\ntimeframe = ["4h", "1d"]',
        source("A"),
        "it does not look at 4h or 1d, on which the brief wants EMA for its exit",
    ),
    (
        '[sizing]\nmethod = ["share", "volatility"]',
        source("A"),
        "it has no custom_stake_amount. The brief wants its stake by share or volatility",
    ),
    ("[risk]\nstop = [0.02, 0.05]", source("A"), "its stoploss is -0.1. The brief wants -0.02 to -0.05"),
    (
        "[risk]\nstop = [0.02, 0.05]",
        source("A").replace("stoploss = -0.10\n", "\n"),
        "it has no stoploss. The brief wants -0.02 to -0.05",
    ),
    (
        "[risk]\nstop = 0.05",
        source("A").replace("stoploss = -0.10\n", "stoploss = -1 / 20\n"),
        "its stoploss is no plain number. The brief wants -0.05, so",
    ),
    ("[risk]\ntake_profit = [0.02, 0.05]", source("A"), 'its minimal_roi["0"] is 10. The brief wants 0.02 to 0.05'),
    ("[risk]\ntrailing = true", source("A"), "it has no stop that follows the price"),
    (
        "[risk]\ntrailing = false",
        source("A", extra="trailing_stop = True"),
        "its stop follows the price, which the brief does not want",
    ),
]


@pytest.mark.parametrize(("text", "code"), KEPT)
def test_what_keeps_the_brief_is_left_alone(text, code):
    assert compliance.departures(parsed(text), code, SHIPPED) == []


@pytest.mark.parametrize(("text", "code", "words"), BROKEN)
def test_what_departs_from_the_brief_is_told_with_what_it_wants(text, code, words):
    (told,) = compliance.departures(parsed(text), code, SHIPPED)
    assert told.startswith(words)


def test_too_many_strategies_and_too_deep_a_fall_depart_too():
    made = parsed("max_strategies = 1\n[risk]\nmax_drawdown = 0.2")
    state = SimpleNamespace(settings=SHIPPED, active={"Alpha": source("Alpha")})
    more = Change("create", "Beta", source("Beta"))
    assert compliance.problems(made, Proposal((more,)), state) == [
        "2 strategies would be active (Alpha, Beta), the brief wants at most 1"
    ]
    assert compliance.problems(made, Proposal((more, Change("kill", "Alpha"))), state) == []
    result = Result("Beta", "", "", "", "", "", "", 0.0, own=Metrics(max_drawdown=0.25))
    tried = Tried(1, "create", "Beta", "", "", result, True, "")
    assert compliance.earned(made, tried) == ["its drawdown is 25.0 %, the brief wants at most 20 %"]
    assert compliance.earned(made, replace(tried, result=replace(result, own=Metrics(max_drawdown=0.2)))) == []


@pytest.mark.parametrize("file", [file for file in EXAMPLES if file.stem != "words_only"], ids=lambda file: file.stem)
def test_what_a_bounded_grammar_draws_and_breeds_keeps_the_brief(file):
    """Without the bounds most of it does not."""
    made = reading.load(str(file), SHIPPED)
    bounds, _ = grammar_bounds.bounds(made, SHIPPED)
    rng = np.random.default_rng(0)
    bounded, free = Grammar(SHIPPED, bounds), Grammar(SHIPPED)
    texts = [written(bounded.random(rng), "One", SHIPPED, bounds.pairs) for _ in range(60)]
    assert not [told for text in texts for told in compliance.departures(made, text, SHIPPED)]
    assert (
        sum(bool(compliance.departures(made, written(free.random(rng), "One", SHIPPED), SHIPPED)) for _ in range(60))
        > 40
    )


def test_agents_with_a_grammar_propose_within_its_bounds_only(tmp_path):
    """Forty rounds in which whatever is proposed stays: first draws, then children of the best."""
    from test_genetic import Landscape, run

    made = reading.load(str(ROOT / "examples/briefs/reversion_two_pairs.toml"), SHIPPED)
    arena = SHIPPED.model_copy(update={"max_strategies": 2})
    bounds, _ = grammar_bounds.bounds(made, arena)
    landscape = Landscape(Grammar(arena), 1)
    for agent in (Genetic(bounds), Random(bounds)):
        history, changes = run(agent, arena, landscape, 1, rounds=25)
        sources = [change.source for one in changes for change in one if change.source]
        assert len(sources) > 30
        assert not [told for text in sources for told in compliance.departures(made, text, arena)]
        assert {genome_of(text).family for text in sources} == {"reversion"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('text = "calm"', "text: it reads no words"),
        ('[[entry]]\nindicator = "CCI"', "row 1 of entry: it has no rule with CCI"),
        ('[[entry]]\nindicator = "HOUR"\ntimeframe = "4h"', "row 1 of entry: it has no rule with HOUR on 4h"),
        ("[risk]\nstop = [0.21, 0.25]", f"risk.stop: it has {', '.join(map(str, SCALARS['stop']))} alone"),
        ('[[exit]]\nindicator = "RSI"\n[[exit]]\nindicator = "EMA"', "of 2 rows of exit the first alone"),
        ("slots = 2", "slots = 2: its strategies count no positions"),
        (
            "".join(f'[[entry]]\nindicator = "{name}"\n' for name in ("RSI", "EMA", "ATR", "MFI")),
            "row 4 of entry: a strategy has at most 3 conditions",
        ),
        ('[[entry]]\nindicator = "RSI"\nperiod = 3', "operators, thresholds and periods of rows"),
    ],
)
def test_what_a_grammar_cannot_honour_is_said(text, words):
    _, unmet = grammar_bounds.bounds(parsed(text), SHIPPED)
    assert [told for told in unmet if told.startswith(words)]


def test_bounds_that_nothing_asks_for_bind_nothing():
    assert grammar_bounds.bounds(Brief(), SHIPPED) == (Bounds(), ())
    rngs = [np.random.default_rng(3), np.random.default_rng(3)]
    assert [Grammar(SHIPPED).random(rngs[0]) for _ in range(50)] == [
        Grammar(SHIPPED, Bounds()).random(rngs[1]) for _ in range(50)
    ]


def answer(name, text):
    return Said(
        f"### {'evolve' if 'timeperiod=9' in text else 'create'} {name}\nnote: idea -> better\n```python\n{text}```\n"
    )


@pytest.mark.slow
def test_a_model_that_departs_from_the_brief_is_told_in_the_same_round(repo, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('text = "calm days"\n[risk]\nstop = [0.02, 0.05]\n')
    kept = source("Alpha").replace("stoploss = -0.10", "stoploss = -0.05")
    with Endpoint(answer("Alpha", source("Alpha")), answer("Alpha", kept)) as endpoint:
        done = drive(repo, "--provider", endpoint.url, "--model", "m", "--brief", file, "--rounds", 1, agent="llm")
        first, second = (asked["messages"][-1]["content"] for asked in endpoint.requests)
    assert done.returncode == 0, done.stderr
    assert "What the person wants:\ncalm days\n- stop-loss: 2 % to 5 % below the entry" in first
    assert "- Alpha: its stoploss is -0.1. The brief wants -0.02 to -0.05" in second
    (one,) = check(repo)
    assert (one.refused, one.departures) == ((("Alpha: its stoploss is -0.1. The brief wants -0.02 to -0.05",),), ())
    assert one.files == {"Alpha": kept.rstrip() + "\n"} and one.usage.requests == 2
    assert re.search(r"^round 1/1 kept: create Alpha .* \| asked again 1 times, ", done.stdout, re.M)
    assert "by the brief" not in done.stdout


@pytest.mark.slow
def test_what_departs_to_the_end_is_played_and_told_in_line_log_and_summary(repo):
    with Endpoint(answer("Alpha", source("Alpha"))) as endpoint:
        wish = repo / "wish.toml"
        wish.write_text('[[entry]]\nindicator = "RSI"\n[risk]\nmax_drawdown = 0.001\n')
        done = drive(repo, "--provider", endpoint.url, "--model", "m", "--brief", wish, "--rounds", 1, agent="llm")
        assert len(endpoint.requests) == 3
    assert done.returncode == 0, done.stderr
    (one,) = check(repo)
    told = "there is no RSI in it, which the brief wants for its entry"
    assert one.departures == (f"Alpha: {told}",) and len(one.refused) == 3 and one.kept
    assert re.search(
        rf"^round 1 is not by the brief: Alpha: {told}; Alpha: its drawdown is [\d.]+ %, the brief wants at most "
        rf"0\.1 %$",
        done.stdout,
        re.M,
    )
    summary = done.stdout.split("ended: ")[1]
    assert f"not by the brief: Alpha: {told}\n" in summary and "not by the brief: Alpha: its drawdown is" in summary
    assert f"not by the brief: Alpha: {told}" in command(commands.cli, repo, "drive.py", "show", "t", "1").stdout


@pytest.mark.slow
def test_a_transcript_is_played_as_it_was_and_measured_by_the_brief(repo, tmp_path):
    rounds = transcript(
        tmp_path / "rounds",
        [{"event": "create", "strategy": "Alpha", "source": source("Alpha"), "parent": "", "note": "x"}],
    )
    (repo / "wish.toml").write_text("timeframes = []\n[risk]\ntrailing = true\n")
    done = drive(repo, "--transcript", rounds, "--brief", repo / "wish.toml")
    assert done.returncode == 0, done.stderr
    assert "brief: the agent replay ignores the brief" in done.stdout
    assert "not by the brief: Alpha: it has no stop that follows the price" in done.stdout
    assert [one.step for one in check(repo)] == ["settled"]


@pytest.mark.slow
def test_a_genetic_run_keeps_its_brief_and_says_what_it_cannot(repo):
    (repo / "wish.toml").write_text(
        'text = "calm"\npairs = "BTC/USDT"\ntimeframes = ["4h"]\nfamilies = ["trend"]\nmax_strategies = '
        '2\n[[entry]]\nindicator = "EMA"\n[risk]\nstop = [0.05, 0.1]\n'
    )
    done = drive(repo, "--brief", repo / "wish.toml", "--rounds", 3, agent="genetic")
    assert done.returncode == 0, done.stderr
    assert "brief: the agent genetic cannot honour text: it reads no words" in done.stdout
    log, arena = check(repo), settings.load(repo / "config.json")
    made = reading.load(str(repo / "wish.toml"), arena)
    assert not [
        told
        for one in log
        for change in one.proposal.changes
        for told in compliance.departures(made, change.source, arena)
    ]
    assert all(
        'pair_basket = ["BTC/USDT"]' in change.source for one in log for change in one.proposal.changes if change.source
    )
    assert max(len({tried.strategy for tried in one.tried if tried.result}) for one in log) == 2
    assert [tried for one in log for tried in one.tried if tried.result and not tried.result.error]
    assert "by the brief" not in done.stdout and "asked again" not in done.stdout


def test_a_brief_that_is_wrong_stops_before_anything_is_made(repo):
    done = drive(repo, "--brief", repo / "none.toml", agent="genetic")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "there is no brief" in done.stderr
    (repo / "wish.toml").write_text('pairs = ["SOL/USDT"]\n')
    done = drive(repo, "--brief", repo / "wish.toml", agent="genetic")
    assert done.returncode == 2 and "wish.toml, line 1: pairs.1: 'SOL/USDT' is no pair of this arena" in done.stderr
    assert not (repo / "user_data/runs").exists() and not worktree(repo).exists()


class Terminal:
    """drive.py on a pseudo-terminal of its own: what it shows, and what a person types."""

    def __init__(self, repo, *words):
        script = (
            f"import runpy, sys\nsys.path.insert(0, {str(ROOT)!r})\nrunpy.run_path({str(ROOT / 'drive.py')!r}, "
            f"run_name='__main__')"
        )
        self.ours, theirs = pty.openpty()

        def at_the_terminal():  # in a session of its own, whose Ctrl-C it hears
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGINT, signal.default_int_handler)

        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", script, *words],
            cwd=repo, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, preexec_fn=at_the_terminal,
        )  # fmt: skip
        os.close(theirs)
        self.shown, self.seen = "", 0

    def until(self, words):
        """Wait for words that were not waited for before."""
        while words not in self.shown[self.seen :]:
            assert self._read(), self.shown
        self.seen = self.shown.index(words, self.seen) + len(words)

    def type(self, question, text):
        self.until(question)
        # it reads: a Ctrl-C before that is not heard
        until(lambda: psutil.Process(self.process.pid).status() == psutil.STATUS_SLEEPING)
        os.write(self.ours, text.encode())

    def end(self):
        """Exit code, when all was shown."""
        while self._read():
            pass
        os.close(self.ours)
        return self.process.wait(PATIENCE_S)

    def _read(self):
        if not select.select([self.ours], [], [], PATIENCE_S)[0]:
            return False
        try:
            data = os.read(self.ours, 4096)
        except OSError:  # the other end is closed
            return False
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


ANSWERS = [
    ("1 pairs", "BTC/USDT, ETC/USDT\n"), ("Did you mean 'ETH/USDT'?", ""), ("1 pairs", "BTC/USDT\n"),
    ("2 timeframes", "-\n"), ("3 paradigms", "reversion\n"), ("entry 1 [no condition]", "RSI bellow 30\n"),
    ("Did you mean 'below'?", ""), ("entry 1", "RSI below 30\n"), ("entry 2 [no more]", "\n"), ("exit 1", "\n"),
    ("6 stake", "\n"), ("7 stop-loss", "three\n"), ("is no range", ""), ("7 stop-loss", "3 10\n"),
    ("8 in your own words", 'the "calm" days\n'),
]  # fmt: skip


@pytest.mark.slow
def test_without_a_value_a_dialogue_on_a_terminal_writes_the_brief_and_plays(repo):
    terminal = Terminal(repo, "--brief", "--tag", "t", "--rounds", "1")
    for question, text in ANSWERS:
        terminal.type(question, text)
    terminal.type("file name [brief.toml]", "\n")
    assert terminal.end() == 0, terminal.shown
    made = reading.load(str(repo / "brief.toml"), settings.load(repo / "config.json"))
    assert (made.pairs, made.timeframes, made.families, made.risk.stop, made.text) == (
        ("BTC/USDT",),
        (),
        ("reversion",),
        (0.03, 0.1),
        'the "calm" days',
    )
    (row,) = made.entry
    assert (row.indicator, row.operator, row.threshold) == (("RSI",), ("below",), (30.0,))
    assert "- enter when RSI is below 30 (required)" in terminal.shown
    (one,) = check(repo)
    assert all("ta.RSI" in change.source for change in one.proposal.changes)


@pytest.mark.slow
def test_a_brief_that_is_there_is_used_or_replaced_only_when_that_is_said(repo):
    mine = 'text = "mine"\n'
    (repo / "brief.toml").write_text(mine)
    terminal = Terminal(repo, "--brief", "--tag", "t", "--rounds", "0")
    terminal.type("Use it as it is? [Y/n]", "\n")
    assert terminal.end() == 0 and "cannot honour text" in terminal.shown
    terminal = Terminal(repo, "--brief", "--tag", "t", "--rounds", "0")
    terminal.type("Use it as it is? [Y/n]", "n\n")
    for question in ("1 pairs", "2 timeframes", "3 paradigms", "entry 1", "exit 1", "6 stake", "7 stop-loss"):
        terminal.type(question, "\n")
    terminal.type("8 in your own words", "another\n")
    terminal.type("file name [brief.toml]", "\n")
    terminal.type("brief.toml is there. Replace it? [y/N]", "\n")
    terminal.type("file name [brief.toml]", "../other.toml\n")
    terminal.type("Expected a plain name", "")
    terminal.type("file name [brief.toml]", "other.toml\n")
    assert terminal.end() == 0, terminal.shown
    assert (repo / "brief.toml").read_text() == mine and (repo / "other.toml").read_text() == 'text = "another"\n'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "code", "words"),
    [("\x04", 2, "the answers ended before the brief was written"), ("\x03", 130, "interrupted")],
)
def test_a_dialogue_that_is_left_writes_nothing(repo, key, code, words):
    terminal = Terminal(repo, "--brief", "--tag", "t")
    terminal.type("1 pairs", "BTC/USDT\n")
    terminal.type("2 timeframes", key)
    ended = terminal.end()
    assert (ended, words in terminal.shown, "Traceback" in terminal.shown) == (code, True, False), terminal.shown
    assert not list(repo.glob("*.toml")) and not (repo / "user_data/runs").exists()


def test_without_a_terminal_nothing_is_asked(repo):
    done = drive(repo, "--brief", agent="genetic")
    assert done.returncode == 2
    assert (
        done.stderr.startswith(
            "drive: --brief without a value asks questions on a terminal, and standard input is none."
        )
        and "--brief brief.toml" in done.stderr
    )


def test_what_a_dialogue_writes_is_read_as_it_was_said():
    told = {
        "text": 'a "quoted"\tline \\ and ü',
        "pairs": ["BTC/USDT"],
        "risk": {"stop": [0.03, 0.1]},
        "entry": [{"indicator": "RSI"}, {"indicator": ["EMA"]}],
    }
    made = parsed(wizard.written(told))
    assert (made.text, made.risk.stop, [row.indicator for row in made.entry]) == (
        told["text"],
        (0.03, 0.1),
        [("RSI",), ("EMA",)],
    )
