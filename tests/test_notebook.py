"""
analysis.ipynb tells the story of every kind of run: it opens, it draws, and where there is nothing to draw it says so.
"""

import json
import math
import re
import shutil

import nbformat
import pytest
from arenas import ROOT, checkout, prepared, strategy
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from test_docs import MACHINE_PATH
from test_run import commit, git, run, values

from analysis import curves, events, frontier, luck, style, timeline, tradeoffs
from arena import settings
from arena.ledger import data_lock, results_log, store
from arena.stats import selection_bias

NOTEBOOK = ROOT / "analysis.ipynb"
CELLS = nbformat.read(NOTEBOOK, as_version=4).cells
DRAWINGS = {cell.id: cell.source for cell in CELLS if cell.cell_type == "code" and cell.id != "begin"}
ARENA = {
    "windows": {"spring": "20210301-20210501", "summer": "20210501-20210701"},
    "validation": "20210701-20210801",
    "holdout": None,
}
SLOW = 'dataframe["fast"] = ta.EMA(dataframe, timeperiod=72)\ndataframe["slow"] = ta.EMA(dataframe, timeperiod=168)'
LOOKS_AHEAD = 'dataframe["fast"] = dataframe["close"].shift(-6)'


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A prepared checkout with a commit, in which nothing was evaluated."""
    folder = checkout(tmp_path_factory.mktemp("clean") / "repo")
    shutil.copytree(ROOT / "analysis", folder / "analysis", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("analysis.ipynb", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    made = prepared(folder, arena=ARENA)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "the arena")
    return made


@pytest.fixture(scope="module")
def night(clean, tmp_path_factory):
    """Five rounds of real evaluations: two that were kept, one that was reset, one that looks ahead, one that kills."""
    made = copied(clean, tmp_path_factory.mktemp("night"))
    strategy(made, "Alpha", indicators=SLOW)
    strategy(made, "Beta", extra="stoploss = -0.03")
    played(made, "two averages cross -> trend is held -> kept")
    strategy(made, "Alpha", indicators=SLOW, extra="stoploss = -0.04")
    played(made, "a tighter stop saves the trend -> fees rise -> discarded", keep=False)
    strategy(made, "Alpha", indicators=SLOW, extra='minimal_roi = {"0": 0.08}')
    played(made, "a profit of 8 % is taken -> the trend is cut, fees fall -> kept")
    strategy(made, "Beta", indicators=LOOKS_AHEAD)
    played(made, "the average reached ahead", keep=False)
    (made.root / "user_data/strategies/Beta.py").unlink()
    played(made, "", killed="Beta")
    return made


def copied(arena, folder):
    shutil.copytree(arena.root, folder / "repo")
    return settings.load(folder / "repo" / "config.json")


def played(arena, note, *, keep=True, killed=""):
    """Commit, evaluate, write the rows, keep or reset: a round of program.md."""
    head = commit(arena.root)
    done = run(arena.root, "--causality", "quick")
    assert done.returncode in (0, 1), done.stderr
    rows = [row + note if row.endswith("\t") else row for row in values(done.stdout, "row")]
    rows = [f"{row}\t{note}" if row.count("\t") == 4 and note else row for row in rows]
    if killed:
        rows.append(results_log.row(head, "kill", killed, math.nan, math.nan, "nothing left to learn"))
    file = arena.root / results_log.FILE
    file.write_text(
        (file.read_text() if file.exists() else results_log.HEADER + "\n") + "".join(f"{row}\n" for row in rows)
    )
    if not keep:
        git(arena.root, "reset", "-q", "--hard", "HEAD~1")


def executed(folder):
    """The notebook of a folder after a real kernel ran it there."""
    made = nbformat.read(folder / "analysis.ipynb", as_version=4)
    NotebookClient(made, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return {cell.id: cell for cell in made.cells}


def drawn(arena):
    """Every figure of the notebook, by its cell, without a kernel."""
    modules = {"curves": curves, "events": events, "frontier": frontier, "luck": luck, "tradeoffs": tradeoffs}
    names = modules | {"told": timeline.read(arena.root, empty=True)}
    return {name: eval(source, names) for name, source in DRAWINGS.items()}


def said(figure):
    """The words of a figure that draws nothing; empty where something is drawn."""
    axis = figure.axes[0]
    return "" if axis.axison else axis.texts[0].get_text()


def test_the_notebook_is_committed_without_outputs_and_without_paths():
    text = NOTEBOOK.read_text()
    assert not [
        cell for cell in CELLS if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None)
    ]
    assert not MACHINE_PATH.search(text) and str(ROOT) not in text
    assert json.loads(text)["metadata"].keys() == {"kernelspec", "language_info"}


def test_each_picture_is_one_line_below_a_cell_that_says_how_to_read_it():
    assert list(DRAWINGS) == [
        "frontier", "equity", "trajectories", "slots", "events", "drawdowns", "heatmaps", "notes", "gates",
        "correlations", "overfitting",
    ]  # fmt: skip
    for before, cell in zip(CELLS, CELLS[1:], strict=False):
        if cell.id in DRAWINGS:
            assert re.fullmatch(r"\w+\.\w+\(told\)", cell.source)
            assert before.cell_type == "markdown" and "orrying: " in before.source, cell.id


@pytest.mark.slow
def test_a_real_kernel_draws_every_picture_of_a_night(night):
    cells = executed(night.root)
    assert re.match(r"5 trials, 3 kept, contract \w{8}, candles from sample", cells["begin"].outputs[0].text)
    for name in DRAWINGS:
        (output,) = cells[name].outputs
        assert len(output.data["image/png"]) > 10_000, name


@pytest.mark.slow
def test_every_picture_of_a_night_has_something_to_draw(night):
    assert {name: said(figure) for name, figure in drawn(night).items()} == dict.fromkeys(DRAWINGS, "")


@pytest.mark.slow
def test_outside_the_repository_the_first_cell_says_where_to_start(tmp_path):
    shutil.copy(NOTEBOOK, tmp_path)
    with pytest.raises(CellExecutionError, match="In the root of the repository: uv run jupyter lab analysis.ipynb"):
        executed(tmp_path)


@pytest.mark.slow
def test_where_nothing_is_prepared_the_first_cell_says_what_to_do(clean, tmp_path):
    made = copied(clean, tmp_path)
    (made.root / data_lock.FILE).unlink()
    with pytest.raises(CellExecutionError, match="the arena is not prepared. Run `uv run prepare.py` first."):
        executed(made.root)


def test_without_a_trial_every_picture_says_so(clean):
    told = {name: said(figure) for name, figure in drawn(clean).items()}
    assert all(told.values())
    assert told["frontier"] == "No trial yet: `uv run run.py` evaluates and records the strategies."
    assert told["correlations"] == "Correlations need two trials with returns that vary; there is none."


@pytest.mark.slow
def test_one_uncommitted_trial_has_its_picture_and_no_correlation(clean, tmp_path):
    made = copied(clean, tmp_path)
    strategy(made, "Alpha")
    assert run(made.root, "--causality", "quick").returncode == 0
    told = {name: said(figure) for name, figure in drawn(made).items()}
    silent = {name for name in told if not told[name]}
    assert silent == {"frontier", "equity", "drawdowns", "heatmaps", "gates"}
    assert told["correlations"] == "Correlations need two trials with returns that vary; there is one."
    assert "two different trials" in told["overfitting"]
    assert told["notes"] == "No row of results.tsv has a note."


def test_of_failed_trials_alone_the_failures_are_drawn(clean, tmp_path):
    made = copied(clean, tmp_path)
    strategy(made, "Alpha", indicators="return (")
    played(made, "")
    pictures = drawn(made)
    told = {name: said(figure) for name, figure in pictures.items()}
    assert {name for name in told if not told[name]} == {
        "frontier",
        "trajectories",
        "slots",
        "events",
        "notes",
        "gates",
    }
    assert [label.get_text() for label in pictures["gates"].axes[0].get_yticklabels()] == ["RefusedError"]
    assert told["equity"].startswith("No trial has an equity curve yet")


@pytest.mark.slow
def test_the_curves_are_those_of_the_ledger_beside_those_of_holding(night):
    told = timeline.read(night.root)
    axis = curves.equity(told).axes[0]
    lines = {line.get_label().split(" ")[0]: line.get_ydata() for line in axis.lines}
    (alpha,) = [one for one in told.tried if one.active]
    assert (alpha.strategy, alpha.number) == ("Alpha", 4)
    assert lines["Alpha"][-1] == pytest.approx(1 + alpha.result.own.profit)
    assert lines["buy"][-1] == pytest.approx(1 + alpha.result.hold.profit)
    assert [text.get_text() for text in axis.texts] == ["spring", "summer"]


@pytest.mark.slow
def test_trials_of_one_strategy_have_colours_of_their_own(night, tmp_path):
    """An edited file is no trial any more, so the best that were kept stand for the run; both are Alpha's."""
    made = copied(night, tmp_path)
    with (made.root / "user_data/strategies/Alpha.py").open("a") as file:
        file.write("# edited\n")
    axis = curves.equity(timeline.read(made.root)).axes[0]
    lines = {line.get_label().partition(",")[0]: line.get_color() for line in axis.lines if " at " in line.get_label()}
    assert axis.get_title() == "best trials that were kept, search range"
    assert len(lines) == 3 and len(set(lines.values())) == 3


@pytest.mark.slow
def test_without_the_locked_candles_the_curves_say_why_holding_is_missing(night, tmp_path):
    made = copied(night, tmp_path)
    next((made.root / data_lock.DATA).glob("BTC*1h.feather")).unlink()
    axis = curves.equity(timeline.read(made.root)).axes[0]
    assert not [line for line in axis.lines if line.get_label().startswith("buy")]
    assert "BTC_USDT-1h.feather is missing" in axis.get_title()


@pytest.mark.slow
def test_trajectories_join_what_was_kept_and_hollow_out_what_was_not(night):
    told = timeline.read(night.root)
    axis = curves.trajectories(told).axes[0]
    alpha = {one.number: one.sharpe for one in told.tried if one.strategy == "Alpha"}
    joined = [line for line in axis.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]
    assert [list(line.get_xdata()) for line in joined] == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 5]]
    assert joined[0].get_ydata() == pytest.approx([alpha[1], alpha[1], alpha[4], alpha[4], alpha[4]], abs=1e-4)
    assert math.isnan(joined[1].get_ydata()[-1])
    hollow = [(*line.get_xdata(), *line.get_ydata()) for line in axis.lines if line.get_markerfacecolor() == "white"]
    assert hollow == [(2, pytest.approx(alpha[3], abs=1e-4))]
    assert {text.get_text() for text in axis.texts} == {"Alpha", "Beta"}


@pytest.mark.slow
def test_slots_and_events_are_those_of_results_tsv(night):
    told = timeline.read(night.root)
    above, below = events.slots(told).axes
    assert [bar.get_height() for bar in above.patches] == [2, 2, 2, 2, 1]
    assert [(bar.get_x(), bar.get_width()) for bar in below.patches] == [(0.5, 5), (0.5, 4)]  # Alpha, Beta
    counts = {each.get_label(): [bar.get_width() for bar in each] for each in events.events(told).axes[0].containers}
    assert counts["failed (1)"] == [0, 1, 0, 0, 0]
    assert counts["discarded (1)"] == [0, 1, 0, 0, 0]
    assert counts["kept (4)"] == [2, 1, 0, 0, 1]
    assert counts["untouched (4)"] == [0, 0, 0, 4, 0]


@pytest.mark.slow
def test_notes_count_each_word_once_a_note_and_leave_out_what_says_nothing(night):
    axis = events.notes(timeline.read(night.root)).axes[0]
    counts = dict(
        zip(
            [label.get_text() for label in axis.get_yticklabels()],
            [bar.get_width() for bar in axis.patches],
            strict=True,
        )
    )
    assert counts["trend"] == max(counts.values())
    assert counts["fees"] >= 1 and not {"kept", "the", "discarded"} & set(counts)


@pytest.mark.slow
def test_a_gate_that_refused_most_stands_on_top_and_validation_counts_where_it_was_asked(night):
    told = timeline.read(night.root)
    axis = tradeoffs.gates_failed(told).axes[0]
    counts = dict(
        zip(
            [label.get_text() for label in axis.get_yticklabels()],
            [bar.get_width() for bar in axis.patches],
            strict=True,
        )
    )
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert counts["causality"] == 1 and "validation" not in counts
    assert counts["dsr"] == sum(1 for one in told.earned() if not one.result.gates[-2].passed)


@pytest.mark.slow
def test_the_front_holds_what_no_other_trial_beats_in_both(night):
    known = list(timeline.read(night.root).earned())
    found = tradeoffs.front(known)
    assert found and [one.sharpe for one in found] == sorted({one.sharpe for one in found})
    for one in known:
        beaten = [other for other in known if other.sharpe > one.sharpe and other.max_drawdown <= one.max_drawdown]
        assert (one in found) <= (not beaten)
        assert beaten or any(each.sharpe >= one.sharpe and each.max_drawdown <= one.max_drawdown for each in found)


@pytest.mark.slow
def test_heat_maps_show_the_recorded_figures_above_those_of_holding(night):
    told = timeline.read(night.root)
    left, right = tradeoffs.heatmaps(told).axes
    (alpha,) = [one for one in told.tried if one.active]
    assert left.images[0].get_array().tolist() == [
        [w.own.sharpe for w in alpha.result.windows],
        [w.hold.sharpe for w in alpha.result.windows],
    ]
    assert right.images[0].get_array()[0].tolist() == [100 * each.profit for each in alpha.result.pairs]
    assert [label.get_text() for label in left.get_yticklabels()] == ["Alpha #4", "buy and hold"]


@pytest.mark.slow
def test_what_luck_can_do_is_what_run_py_would_say_today(night):
    told = timeline.read(night.root)
    returns = [one.returns for one in told.earned()]
    now = selection_bias.evidence(returns[0], returns, 5)
    assert len(returns) == 4 and told.evidence()[:3] == now[:3] and told.evidence().pbo == now.pbo
    left, right, _ = luck.correlations(told).axes
    assert left.images[0].get_array().shape == (4, 4)
    assert [label.get_text() for label in left.get_yticklabels()] == ["Alpha #1", "Alpha #3", "Alpha #4", "Beta #2"]
    assert right.get_title() == f"5 trials amount to {now.effective:.1f} independent ones"
    today = [line for line in luck.overfitting(told).axes[0].lines if line.get_label() == "all trials, today"]
    assert list(today[0].get_ydata()) == [now.pbo]


def test_a_ruinous_trial_does_not_press_the_others_together():
    axis = style.canvas().add_subplot()
    assert style.keep_in_sight(axis, [0.5, 1.2, math.nan]) is None
    edge = style.keep_in_sight(axis, [0.5, 1.2, -11.0])
    assert axis.get_ylim()[0] < edge < style.BOTTOM < 1.2 < axis.get_ylim()[1]


def test_labels_keep_apart_in_their_order():
    assert style.apart([0.0, 5.0], 1.0) == [0.0, 5.0]
    assert style.apart([1.0, 1.0, 5.0], 1.0) == [0.5, 1.5, 5.0]
    found = style.apart([2.0, 0.1, 0.0, 0.2], 1.0)
    assert sorted(range(4), key=lambda k: found[k]) == [2, 1, 3, 0]
    assert min(b - a for a, b in zip(sorted(found), sorted(found)[1:], strict=False)) >= 1.0 - 1e-9


@pytest.mark.slow
def test_the_chain_of_the_ledger_is_whole_after_it_was_read(night):
    assert store.Ledger(night.root / store.LEDGER).check() == []
