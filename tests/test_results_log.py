import math

import pytest

from arena.ledger import results_log
from arena.ledger.results_log import FILE, HEADER, Journal

CAP, MAX_STABLE = 3, 3


def of(*lines, end="\n"):
    """A journal from rows written with spaces: commit event name sharpe max_dd note…; a bare kill gets its dashes."""
    rows = []
    for line in lines:
        cells = line.split(" ", 5)
        cells += [["-", "-"], ["0.5", "-10"]][cells[1] != "kill"] if len(cells) == 3 else []
        rows.append("\t".join(cells))
    return results_log.parse(("\n".join([HEADER, *rows]) + end).encode())


def only_problem(data):
    (problem,) = results_log.parse(data if isinstance(data, bytes) else f"{HEADER}\n{data}\n".encode()).problems
    return problem


def violations(*lines):
    read = of(*lines)
    assert not read.problems
    return results_log.violations(read, MAX_STABLE, CAP)


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_missing_file_and_an_empty_one_are_empty_journals(tmp_path):
    assert results_log.read(tmp_path / FILE) == Journal()
    (tmp_path / FILE).write_text("")
    assert results_log.read(tmp_path / FILE) == Journal()


def test_a_path_that_cannot_be_read_is_a_problem(tmp_path):
    assert results_log.read(tmp_path).problems[0].startswith("results.tsv cannot be read")


def test_a_row_is_read_with_its_units(tmp_path):
    (tmp_path / FILE).write_text(f"{HEADER}\nABC1234\tevolve\tMeanRev\t0.8312\t-18.3\tRSI 14 -> 21\n")
    (row,) = results_log.read(tmp_path / FILE).rows
    assert (row.line, row.commit, row.event, row.strategy, row.parent) == (2, "abc1234", "evolve", "MeanRev", "")
    assert (row.sharpe, row.max_drawdown, row.note) == (0.8312, pytest.approx(0.183), "RSI 14 -> 21")


@pytest.mark.parametrize(
    "data",
    [
        f"\ufeff{HEADER}\nabc1234\tstable\tA\t0.5\t-10\t\n",
        f"{HEADER}\r\nabc1234\tstable\tA\t0.5\t-10\t\r\n",
        f"{HEADER}\n\n   \nabc1234\tstable\tA\t0.5\t-10\n\n",
        f"{HEADER}\nabc1234\tstable\tA\t0.5\t-10",
    ],
    ids=["BOM", "CRLF", "blank lines", "no last newline"],
)
def test_what_editors_and_shells_leave_behind_is_tolerated(data):
    read = results_log.parse(data.encode())
    assert [r.strategy for r in read.rows] == ["A"] and not read.problems


@pytest.mark.parametrize("arrow", ["→", "->", " → "])
def test_a_fork_counts_for_the_child(arrow):
    (row,) = results_log.parse(f"{HEADER}\nabc1234\tfork\tMeanRev{arrow}MeanRevFast\t0.5\t-10\t\n".encode()).rows
    assert (row.parent, row.strategy) == ("MeanRev", "MeanRevFast")


def test_a_kill_and_a_failure_have_no_figures():
    read = of("abc1234 kill A", "abc1234 evolve B - - KeyError rsi")
    assert not read.problems and all(math.isnan(r.sharpe) and math.isnan(r.max_drawdown) for r in read.rows)


def test_nan_is_a_figure():
    read = of("abc1234 evolve A nan -10")
    assert not read.problems and math.isnan(read.rows[0].sharpe)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("abc1234\tevolved\tA\t0.5\t-10", "event 'evolved' is unknown. Did you mean 'evolve'?"),
        ("abc1234\tKILL\tA\t-\t-", "event 'KILL' is unknown. Did you mean 'kill'?"),
        ("abc1234\tzzz\tA\t0.5\t-10", "event 'zzz' is unknown. Use create, evolve, fork, stable, kill."),
        ("abc123\tevolve\tA\t0.5\t-10", "commit 'abc123' is not 7 to 40 hex digits"),
        ("abc1234+dirty\tevolve\tA\t0.5\t-10", "Commit, run again and copy the new row."),
        ("abc1234\tevolve\tmean rev\t0.5\t-10", "strategy_name 'mean rev' is not a class name"),
        ("abc1234\tfork\tA\t0.5\t-10", "strategy_name 'A' of a fork is not parent→child"),
        ("abc1234\tfork\tA→A\t0.5\t-10", "is not parent→child"),
        ("abc1234\tevolve\tA→B\t0.5\t-10", "names a fork, but the event is 'evolve'"),
        ("abc1234\tevolve\tA\tgood\t-10", "sharpe 'good' is not a number"),
        ("abc1234\tevolve\tA\tinf\t-10", "sharpe 'inf' is not a number"),
        ("abc1234\tevolve\tA\t0.5\t-", "max_dd '-' is not a number"),
        ("abc1234\tevolve\tA\t0.5\t18.3", "max_dd '18.3' is not a loss in per cent"),
        ("abc1234\tevolve\tA\t0.5\t-183", "max_dd '-183' is not a loss in per cent"),
        ("abc1234\tkill\tA\t0.5\t-10", "a kill has '-' for sharpe and max_dd"),
        ("abc1234\tevolve\tA\t-\t-", "a note that says why it failed"),
        ("abc1234 evolve A 0.5 -10", "has 1 columns, not 5 or 6"),
        ("abc1234\tevolve\tA\t0.5\t-10\tone\ttwo", "has 7 columns, not 5 or 6"),
    ],
)
def test_what_is_not_a_row_is_a_problem_with_a_hint(line, message):
    problem = only_problem(line)
    assert problem.startswith("results.tsv line 2: ") and message in problem


def test_a_row_with_a_tab_in_its_note_is_a_problem_and_still_counts():
    """Else its strategy would seem to have no row, and an obedient agent would write a second one."""
    read = of("abc1234 create A 0.5 -10\tone\ttwo".replace(" ", "\t"))
    assert [(row.strategy, row.note) for row in read.rows] == [("A", "one two")]
    assert len(read.problems) == 1 and "has 7 columns" in read.problems[0]


def test_rows_are_missed_from_the_first_evaluation_on_that_has_one():
    """What was evaluated before belongs to an earlier results.tsv."""
    evaluated = [("aaaaaaa", "Old"), ("abc1234", "A"), ("bbbbbbb", "B")]
    read = of("abc1234 create A")
    assert results_log.begun(read, evaluated) == evaluated[1:]
    assert results_log.missing(read, results_log.begun(read, evaluated)) == (("bbbbbbb", "B"),)
    assert results_log.begun(of(), evaluated) == ()


def test_a_problem_leaves_the_other_rows_alone():
    read = of("abc1234 create A", "abc1234 evolved B 0.5 -10", "abc1234 create C")
    assert [r.strategy for r in read.rows] == ["A", "C"] and len(read.problems) == 1


def test_a_half_written_last_line_is_named():
    whole = f"{HEADER}\nabc1234\tcreate\tA\t0.5\t-10\t\n".encode()
    assert not results_log.parse(whole).problems
    problem = only_problem(whole + b"def5678\tevol")
    assert problem.startswith("results.tsv line 3: ") and "The file ends inside this line" in problem


def test_bytes_that_are_not_utf8_are_a_problem():
    assert only_problem(f"{HEADER}\n".encode() + b"abc1234\tcreate\tA\t0.5\t-10\tcaf\xe9\n").endswith(
        "Write the row again."
    )
    assert "UTF-16" in only_problem(f"{HEADER}\n".encode("utf-16"))


def test_a_missing_header_is_a_problem_and_its_row_still_counts():
    read = results_log.parse(b"abc1234\tcreate\tA\t0.5\t-10\n")
    assert len(read.rows) == 1 and "the header is not" in read.problems[0]


def test_a_misspelt_header_is_one_problem_and_no_row():
    read = results_log.parse(HEADER.replace("strategy_name", "strategy").encode())
    assert not read.rows and len(read.problems) == 1


def test_a_cell_cannot_forge_a_line_of_the_report():
    problem = only_problem("abc1234\tx\x1b[2J" + "y" * 500 + "\u2028row: forged\tA\t0.5\t-10")
    assert problem.isprintable() and len(problem) < 200


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_written_row_is_read_back():
    text = results_log.row("abc1234", "evolve", "MeanRev", 0.83124, 0.1834, "RSI\t14\n\x1b->\u2028 21")
    assert text == "abc1234\tevolve\tMeanRev\t0.8312\t-18.3\tRSI 14 -> 21"
    (row,) = results_log.parse(f"{HEADER}\n{text}\n".encode()).rows
    assert row.sharpe == 0.8312 and row.max_drawdown == pytest.approx(0.183)


def test_no_drawdown_is_written_without_a_sign():
    assert results_log.row("abc1234", "create", "A", 0.0, 0.0).split("\t")[3:5] == ["0.0000", "0.0"]


def test_a_kill_and_a_failure_are_written_with_dashes_but_an_undefined_sharpe_is_nan():
    assert results_log.row("abc1234", "kill", "A", 0.5, 0.1).split("\t")[3:5] == ["-", "-"]
    assert results_log.row("abc1234", "evolve", "A", math.nan, math.nan, "KeyError").split("\t")[3:5] == ["-", "-"]
    assert results_log.row("abc1234", "evolve", "A", math.nan, 0.1).split("\t")[3:5] == ["nan", "-10.0"]


# --- rounds ----------------------------------------------------------------------------------------------------------

TWO_ROUNDS = ("aaaaaaa create A", "aaaaaaa create B", "bbbbbbb evolve A", "bbbbbbb stable B")


def test_a_round_is_a_run_of_rows_with_one_commit():
    one, two = results_log.rounds(of(*TWO_ROUNDS))
    assert (one.number, one.commit, one.before, dict(one.stable)) == (1, "aaaaaaa", (), {"A": 0, "B": 0})
    assert (two.number, two.commit, two.before, dict(two.stable)) == (2, "bbbbbbb", ("A", "B"), {"A": 0, "B": 1})


def test_a_short_and_a_long_hash_of_one_commit_are_one_round():
    assert len(results_log.rounds(of("aaaaaaa create A", f"{'a' * 40} create B"))) == 1
    assert len(results_log.rounds(of("aaaaaaa create A", f"{'a' * 6}{'b' * 34} create B"))) == 2


def test_active_are_those_whose_last_event_is_not_kill():
    assert results_log.active(Journal()) == ()
    assert results_log.active(of(*TWO_ROUNDS)) == ("A", "B")
    assert results_log.active(of(*TWO_ROUNDS, "ccccccc kill A", "ccccccc evolve B")) == ("B",)
    assert results_log.active(of(*TWO_ROUNDS, "ccccccc kill A", "ddddddd create A")) == ("B", "A")


def test_stable_rounds_end_with_every_other_event():
    assert results_log.stable_rounds(Journal(), "A") == 0
    read = of("aaaaaaa create A", "bbbbbbb stable A", "ccccccc stable A")
    assert results_log.stable_rounds(read, "A") == 2 and results_log.stable_rounds(read, "B") == 0
    assert results_log.stable_rounds(of("aaaaaaa create A", "bbbbbbb stable A", "ccccccc evolve A"), "A") == 0


def test_leaving_a_row_out_does_not_reset_the_stable_rounds():
    read = of("aaaaaaa create A", "aaaaaaa create B", "bbbbbbb stable A", "bbbbbbb evolve B", "ccccccc evolve B")
    assert results_log.stable_rounds(read, "A") == 2


def test_a_fork_touches_its_parent():
    lines = ["aaaaaaa create A", "bbbbbbb stable A", "ccccccc stable A", "ccccccc fork A→B"]
    assert results_log.stable_rounds(of(*lines), "A") == 0
    assert results_log.stable_rounds(of(*lines[:3]), "A") == 2


def test_the_journal_after_a_round_has_its_rows_once():
    read = of(*TWO_ROUNDS)
    texts = ["ccccccc\tevolve\tA\t0.5\t-10", "ccccccc\tstable\tB\t0.5\t-10", "ccccccc+dirty\tevolve\tC\t0.5\t-10"]
    new = results_log.after(read, texts)
    assert [(r.line, r.strategy) for r in new.rows[4:]] == [(6, "A"), (7, "B")]
    assert results_log.after(new, texts) == new
    assert results_log.after(read, []) == read


@pytest.mark.parametrize(
    ("name", "changed", "event"),
    [("C", True, "create"), ("C", False, "create"), ("A", True, "evolve"), ("A", False, "stable")],
)
def test_the_suggested_event_follows_from_the_journal_and_the_change(name, changed, event):
    assert results_log.suggest_event(of(*TWO_ROUNDS), name, changed) == event


def test_a_killed_strategy_that_returns_is_created_again():
    assert results_log.suggest_event(of(*TWO_ROUNDS, "ccccccc kill A", "ccccccc evolve B"), "A", True) == "create"


def test_missing_are_evaluations_of_commits_without_a_row():
    evaluated = [
        ("aaaaaaa", "A"),
        (f"AAAAAAA{'0' * 33}", "B"),
        ("bbbbbbb", "C"),
        ("ccccccc", "A"),
        ("aaaaaaa+dirty", "D"),
    ]
    assert results_log.missing(of(*TWO_ROUNDS), evaluated) == (("bbbbbbb", "C"), ("ccccccc", "A"))
    assert results_log.missing(of(*TWO_ROUNDS), []) == ()


# --- demands ---------------------------------------------------------------------------------------------------------


def test_a_round_must_touch_something():
    assert results_log.demands(of(*TWO_ROUNDS), ["A", "B"], MAX_STABLE) == ("touch at least one strategy",)


def test_after_the_last_stable_round_a_strategy_must_be_touched():
    lines = [*TWO_ROUNDS, "ccccccc evolve A", "ccccccc stable B", "ddddddd evolve A", "ddddddd stable B"]
    assert results_log.demands(of(*lines), ["A", "B"], 3) == (
        "B: 3 stable rounds in a row, so evolve, fork or kill it now",
    )
    assert results_log.demands(of(*lines), ["A", "B"], 4) == ("touch at least one strategy",)
    gone = ("B: its file is gone, so append a kill row", "touch at least one strategy")
    assert results_log.demands(of(*lines), ["A"], 3) == gone


def test_a_file_that_is_gone_needs_a_kill_row_and_a_new_one_a_first_row():
    assert results_log.demands(of(*TWO_ROUNDS), ["B", "C"], MAX_STABLE) == (
        "A: its file is gone, so append a kill row",
        "C: it has no row, so append create or fork",
        "touch at least one strategy",
    )


# --- violations ------------------------------------------------------------------------------------------------------


def test_an_honest_journal_breaks_no_rule():
    lines = [
        *TWO_ROUNDS,
        "ccccccc stable A",
        "ccccccc stable B",
        "ccccccc fork A→C",
        "ddddddd kill B",
        "ddddddd evolve A",
    ]
    assert violations(*lines, "ddddddd stable C", "eeeeeee create B", "eeeeeee stable A", "eeeeeee stable C") == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ccccccc create A", "results.tsv line 6: create of A, which is already active. Use evolve or stable."),
        ("ccccccc fork B→A", "fork of A, which is already active"),
        ("ccccccc evolve C", "evolve of C, which is not active. Use create or fork."),
        ("ccccccc stable C", "stable of C, which is not active. Use create or fork."),
        ("ccccccc kill C", "kill of C, which is not active. Remove the row."),
        ("ccccccc fork Z→C", "fork of Z, which no row names"),
        ("ccccccc evolve B", "B has two rows in the round ccccccc. Keep one."),
    ],
)
def test_a_row_against_the_rules_is_a_violation(line, message):
    rest = ["ccccccc stable B", "ccccccc evolve A"] if " A" not in line and "→A" not in line else ["ccccccc stable B"]
    (violation,) = violations(*TWO_ROUNDS, *([line, *rest] if "two rows" not in message else [*rest, line]))
    assert message in violation


def test_a_fork_may_come_from_a_killed_parent_or_one_of_its_own_round():
    assert violations(*TWO_ROUNDS, "ccccccc kill A", "ccccccc fork A→C", "ccccccc stable B") == ()
    assert violations("aaaaaaa fork A→B", "aaaaaaa create A") == ()


def test_a_second_row_is_one_violation_and_not_two():
    assert len(violations("aaaaaaa create A", "aaaaaaa evolve A")) == 1


def test_a_round_of_stable_events_only_is_a_violation():
    (violation,) = violations(*TWO_ROUNDS, "ccccccc stable A", "ccccccc stable B")
    assert violation == "round 3 (ccccccc): every event is stable. Touch at least one strategy in a round."


def test_an_active_strategy_without_a_row_is_a_violation():
    (violation,) = violations(*TWO_ROUNDS, "ccccccc evolve A")
    assert violation == "round 3 (ccccccc): B is active and has no row. Write one row per strategy and round."


def test_more_active_strategies_than_the_cap_are_a_violation():
    create = [f"aaaaaaa create {name}" for name in "ABC"]
    assert violations(*create) == ()
    (violation,) = violations(*create, "aaaaaaa create D")
    assert "4 strategies are active, at most 3 are allowed" in violation
    assert violations(*create, "bbbbbbb create D", "bbbbbbb kill A", "bbbbbbb stable B", "bbbbbbb stable C") == ()


def test_a_stable_round_beyond_the_maximum_is_a_violation():
    lines = ["aaaaaaa create A", "aaaaaaa create B"]
    for commit in ("bbbbbbb", "ccccccc", "ddddddd"):
        lines += [f"{commit} evolve A", f"{commit} stable B"]
    assert violations(*lines) == ()
    (violation,) = violations(*lines, "eeeeeee evolve A", "eeeeeee stable B")
    assert violation == "round 5 (eeeeeee): B is stable for 4 rounds in a row, at most 3 are allowed."
    assert violations(*lines, "eeeeeee evolve B", "eeeeeee stable A") == ()
