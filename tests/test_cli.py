"""What a command says while it works."""

import io
import sys

from arena import progress
from arena.cli import Live


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_where_there_is_no_terminal_each_step_is_a_line(capsys):
    with Live(sys.stdout, steps=True) as live:
        progress.step("", "round 2")
        progress.step("Trend", "backtest")
        progress.step("Trend", "")
        live.say("round 2 kept")
    progress.step("Trend", "stress")
    assert capsys.readouterr().out == "round 2: Trend backtest\nround 2 kept\n"


def test_or_none_where_steps_are_not_wanted(capsys):
    with Live(sys.stdout, steps=False) as live:
        progress.step("Trend", "backtest")
        live.say("kept")
    assert capsys.readouterr().out == "kept\n"


def test_on_a_terminal_one_line_says_what_is_done_and_makes_room_for_what_stays(monkeypatch):
    monkeypatch.setattr(sys, "stdout", out := Terminal())
    monkeypatch.setenv("COLUMNS", "30")
    with Live(out, steps=True) as live:
        progress.step("", "round 2: asking genetic")
        progress.step("", "round 2")
        progress.step("Trend", "backtest")
        progress.step("Breakout", "causality, quick")
        live.say("round 1 kept")
        progress.step("Breakout", "")
    clear = "\r\x1b[K"
    shown = [part for part in out.getvalue().split(clear) if part]
    assert shown == [
        "round 2: asking genetic 0 s", "round 2 0 s", "round 2: Trend backtest 0 s",
        "round 2: Trend backtest 0 s, "[:29], "round 1 kept\nround 2: Trend backtest 0 s, "[: 13 + 29],
        "round 2: Trend backtest 0 s",
    ]  # fmt: skip
    assert out.getvalue().endswith(clear)
