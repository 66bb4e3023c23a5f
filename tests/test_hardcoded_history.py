import pytest
from conftest import ROOT

from arena.checks.hardcoded_history import find


@pytest.mark.parametrize(
    ("code", "text"),
    [
        # dates as text
        ('x = "2021-05-19"', '"2021-05-19"'),
        ('x = "2021-05-19 14:00:00+00:00"', '"2021-05-19 14:00:00+00:00"'),
        ('x = "2021-05"', '"2021-05"'),
        ('x = "2021/5/9"', '"2021/5/9"'),
        ('x = "19.05.2021"', '"19.05.2021"'),
        ('x = "20210519"', '"20210519"'),
        ('x = "20210519T1400"', '"20210519T1400"'),
        ('x = "2021-W20"', '"2021-W20"'),
        ('x = "2021-139"', '"2021-139"'),
        ('x = "2021Q2"', '"2021Q2"'),
        ('x = "Q2 2021"', '"Q2 2021"'),
        ('x = "May 2021"', '"May 2021"'),
        ('x = "19 may 2021"', '"19 may 2021"'),
        ('x = "May 19th, 2021"', '"May 19th, 2021"'),
        ('x = "September\'21"', '"September\'21"'),
        ('x = "2021-May-19"', '"2021-May-19"'),
        ('tag = "since 2021-05-19 only"', '"since 2021-05-19 only"'),
        ('x = f"{y} 2021-05-19"', '" 2021-05-19"'),
        ('d["date"].dt.strftime("%Y") == "2021"', '"2021"'),
        ('d["date"].dt.strftime("%y%m") == "2105"', '"2105"'),
        ("x = b'2021-05-19'", '"2021-05-19"'),
        # instants that are made
        ("x = datetime(2021, 5, 19)", "datetime(2021, 5, 19)"),
        ("x = datetime.datetime(2021, 5, 19, tzinfo=UTC)", "datetime(2021, 5, 19, tzinfo=...)"),
        ("x = date(year=2021, month=5, day=day)", "date(year=2021, month=5, day=...)"),
        ('x = pd.Timestamp("2021-05-19", tz="UTC")', 'Timestamp("2021-05-19", tz="UTC")'),
        ('x = pd.to_datetime("19/5/21")', 'to_datetime("19/5/21")'),
        ("x = datetime.fromtimestamp(1621382400, UTC)", "fromtimestamp(1621382400, ...)"),
        ("x = date.fromordinal(737929)", "fromordinal(737929)"),
        ("x = date.fromisocalendar(2021, 20, 3)", "fromisocalendar(2021, 20, 3)"),
        # years, days and instants as numbers
        ('x = d["date"].dt.year == 2021', "2021"),
        ("x = current_time.year in (2021,)", "2021"),
        ("x = int(now.strftime('%Y%m%d')) == 20210519", "20210519"),
        ("x = current_time.timestamp() > 1621382400", "1621382400"),
        ("x = 1621382400000", "1621382400000"),
        ("x = 1_621_382_400.0", "1621382400.0"),
        ("timeperiod = 20210519", "20210519"),
        ("x = START + timedelta(days=18766)", "18766"),
        ("x = START + pd.Timedelta(hours=450000)", "450000"),
        # price levels
        ('x = d["close"] > 61000.0', "61000.0"),
        ('x = d["close"] > 1000', "1000"),
        ("x = -61e3", "61000.0"),
        ('x = float("61000")', '"61000"'),
        ('x = Decimal("61000.5")', '"61000.5"'),
        ("match p:\n    case 61000: pass", "61000"),
        ("def f(level=4000): pass", "4000"),
        ("x = IntParameter(20000, 70000, default=61000)", "61000"),
        ("x = ta.EMA(d, timeperiod=61000)", "61000"),
        ("x = DecimalParameter(1, 9, default=4000.0)", "4000.0"),
        ("x = d['close'] * 4000", "4000"),
        # tables and packed data
        ("x = [1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1]", "a table of 13 numbers"),
        ("x = {-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12, -13}", "a table of 13 numbers"),
        (f"x = {tuple('abcdefghijklm')}", "a table of 13 texts"),
        (f"x = {dict(enumerate('abcdefghijklm'))}", "a table of 13 texts"),
        (f"x = {[(a, 19) for a in range(24)]}", "a table of 48 numbers"),
        (f"x = np.array({[[1, 2, 3]] * 5})", "a table of 15 numbers"),
        (f"x = {[1, 'a'] * 7}", "a table of 14 values"),
        (f"x = f{tuple(range(13))}", "a table of 13 numbers"),
        (f"x = dict({', '.join(f'a{n}={n}' for n in range(13))})", "a table of 13 numbers"),
        (f"x = {'ab' * 450!r}", "a packed text of 900 characters"),
        (f"x = {'ab' * 50!r}\\\n{'cd' * 60!r}", "a packed text of 220 characters"),
        (f"x = {b'ab' * 450!r}", "a packed text of 900 characters"),
        (f"x = {' '.join(map(str, range(13)))!r}.split()", "a text of 13 numbers"),
        (f"x = {1 << 4000}", "a packed number of 4001 bits"),
        (f"x = {hex(1 << 400_000)}", "a packed number of 400001 bits"),
    ],
)
def test_what_history_by_heart_is_made_of_is_told(code, text):
    found = find(f"\n\n{code}\n")
    assert f"line 3: {text}" in found or f"line 4: {text}" in found


@pytest.mark.parametrize(
    "code",
    [
        "x = 999",
        "x = float('inf'), 1e999",
        'x = d["rsi"] < 30',
        "x = ta.EMA(d, timeperiod=2000)",
        "x = ta.EMA(d, 2000)",
        "x = d['close'].rolling(2016).mean().shift(1000)",
        "x = d['close'].rolling(window=24 * 1000, min_periods=1000)",
        "x = d['close'].ewm(span=1500, adjust=False)",
        "lookback_candles = 2000",
        "self.window: int = 2000",
        "fast_period, slow_period = 1000, 5000",
        "x = IntParameter(500, 2000, default=1000, space='buy')",
        "x = {'timeperiod': 1000, 'long_window': 2000}",
        "def f(period=2000, *, window=3000): pass",
        "if len(d) < 1500: pass",
        "x = d.iloc[-2000:]",
        "x = np.random.default_rng(seed=1234)",
        "x = timedelta(minutes=1440), timedelta(days=365), pd.Timedelta(hours=8760)",
        "x = age.total_seconds() / 3600, stamp * 1000, spread * 10_000, t % 86_400",
        "x = datetime(1970, 1, 1, tzinfo=UTC), pd.Timestamp('1970-01-01'), datetime.fromtimestamp(0, UTC)",
        "x = pd.to_datetime(d['date'], unit='ms', utc=True), datetime.strptime(x, '%Y-%m-%d')",
        "x = d['date'].dt.hour.isin([0, 8, 16]) & (d['date'].dt.month == 5)",
        "x = [2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377]",
        "x = {'rsi': 14, 'ema': 50, 'adx': 14, 'atr': 14, 'cci': 20, 'mfi': 14, 'roc': 12}",
        "x = 'a long sentence with spaces ' 'and more of it ' 'and more of it ' 'and more of it ' * 9",
        'tag = "ema_cross_50", "BTC/USDT", "version 2026.9", "in May", "may 20", "1d", "12345x"',
        '"""A docstring of 2021-05-19."""\nclass A:\n    """And May 2021: 61000."""\n    def f(self):\n        '
        '"""2021-05"""',
        "# a comment of 2021-05-19",
        "class A:\n    minimal_roi = {'0': 0.1, '60': 0.05, '1440': 0.02, '2880': 0, '10080': -1}\n    "
        "startup_candle_count: int = 2000",
        "class A:\n    minimal_roi = {'0': 10_000}\n    plot_config = {'a': [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, "
        "13]}",
        "class A:\n    @property\n    def protections(self):\n        return [{'method': 'MaxDrawdown', "
        "'lookback_period': 2880, 'stop': 1440}]",
    ],
)
def test_look_backs_durations_units_and_settings_are_not(code):
    assert find(f"{code}\n") == ()


def test_dates_in_settings_are_told_all_the_same():
    text = "class A:\n    minimal_roi = {'20210519': 0.01, '1440': 0}\n    protections = [{'since': 1621382400}]\n"
    assert find(text) == ('line 2: "20210519"', "line 3: 1621382400")


def test_settings_are_those_of_a_class():
    assert find("minimal_roi = {'0': 61000}\n") == ("line 1: 61000",)


def test_a_docstring_counts_where_the_source_reads_it():
    text = '"""2021-05-19"""\nx = 1\n'
    assert find(text) == ()
    assert find(text + "y = __doc__\n") == ('line 1: "2021-05-19"',)


def test_a_table_is_told_once_and_its_dates_are_in_it():
    days = [f"2021-05-{day}" for day in range(10, 30)]
    assert find(f"x = {days}\ny = {days[:2]}\n") == (
        "line 1: a table of 20 texts",
        'line 2: "2021-05-10"',
        'line 2: "2021-05-11"',
    )


def test_they_come_in_the_order_of_the_source_and_each_once_a_line():
    text = "def f():\n    return 4000\nx = 9000 if 3000 > y else 3000\n"
    assert find(text) == ("line 2: 4000", "line 3: 9000", "line 3: 3000")


def test_after_twenty_the_rest_is_counted():
    found = find("\n".join(f"x = {n}" for n in range(2000, 2051)))
    assert len(found) == 21
    assert found[19:] == ("line 20: 2019", "and 31 more")
    assert len(find("\n".join(f"x = {n}" for n in range(2000, 2020)))) == 20


def test_lines_are_short_and_printable():
    text = 'x = "2021-05-19\\n---\\nstrategy: Fake\\x1b[31m \\ud800 größe" + "2021-05-19' + " long" * 60 + '"\n'
    found = find(text + 'y = datetime(2021, 5, "' + "9" * 190 + '")\n')
    assert len(found) == 3
    assert all(line.isascii() and line.isprintable() and len(line) <= 120 for line in found)


def test_a_complex_number_and_a_number_in_the_head_of_a_class_are_told():
    assert find("x = 61000j\ny = f(window=5000j)\n") == ("line 1: 61000j", "line 2: 5000j")
    assert find("class A(B, level=5000):\n    pass\n") == ("line 1: 5000",)
    assert find("class A(B, window=5000):\n    pass\n") == ()


def test_what_is_not_python_is_refused():
    with pytest.raises(SyntaxError):
        find("x = (")


def test_deep_nesting_that_parses_is_walked():
    assert find("x = " + "-" * 90 + "61000 + 0" + " + y" * 900) == ("line 1: 61000",)


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/*.py")), ids=lambda file: file.stem)
def test_the_examples_have_none(file):
    assert find(file.read_text()) == ()
