"""
Compares runs: what each tried, kept and paid, and what its best is worth against all trials of the same arena.

A run by program.md in the checkout itself, without drive.py, is a run too: results.tsv and git say what belongs to it.
Luck line, dsr and `accepted` are as of today: all runs of an arena share one ledger, so later trials count against a
run that ended early too. The numbers come from the logs and the ledger; nothing is evaluated.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from arena.errors import ArenaError, SampleError
from arena.ledger import data_lock, results_log
from arena.ledger.store import LEDGER, Ledger
from arena.ledger.trial_history import on_candles_of
from arena.records import Result
from arena.stats import selection_bias
from arena.stats.gates import EVIDENCE
from loop import git
from loop.driver import best
from loop.protocol import Usage
from loop.round_steps import history
from loop.run_log import Facts, Log, Round, runs

BY_HAND = "program.md"
"""Agent name of a run that a coding agent or a person played by program.md."""
SHOWN = 2
"""Most failing gates that a row names."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One run. Sharpe ratios are annualised, over the search range; undefined figures are nan."""

    run: str  # by hand: the branch
    agent: str  # by hand: BY_HAND
    model: str  # or the program, or the transcript; empty for agents without one
    seed: int | None  # None by hand
    contract: str
    rounds: int  # played; skipped ones are counted apart
    skipped: int
    trials: int  # distinct sources that it tried
    kept: int  # rounds
    accepted: int  # distinct sources that it kept and that pass every gate today
    strategy: str  # the best that was kept; empty for none
    fails: tuple[str, ...]  # gates that it fails, without those of luck
    sharpe: float
    low: float  # 95 % interval of this one strategy; other trials do not count in it
    high: float
    luck_line: float  # of all trials under the contract
    dsr: float  # deflated Sharpe ratio against all of them
    tokens: int
    usd: float  # nan: the price is unknown
    seconds: float  # in rounds, of all starts; by hand from the first trial to the last
    race: tuple[float, ...]  # by the run's own trials, the best kept so far


@dataclass(frozen=True, slots=True)
class Board:
    """All runs under one contract, the best first."""

    contract: str
    trials: int  # distinct sources under the contract, of all runs
    others: int  # sources tried on these candles under other contracts only: the luck line counts them too
    luck_line: float
    standings: tuple[Standing, ...]


def read(root: Path, names: list[str]) -> list[Board]:
    """
    Returns a board per contract, because figures of two contracts do not compare: of the named runs, or of all under
    the current contract.

    Raises ArenaError if a run does not exist.
    """
    hand, run_names = _branch(root), runs(root)
    if unknown := [name for name in names if name not in (*run_names, hand)]:
        raise ArenaError(
            f"there is no run {unknown[0]!r}. There are: {', '.join([*run_names, *filter(None, [hand])]) or 'none'}."
        )
    locked = data_lock.read(root)
    now = locked.contract if locked else ""
    # results.tsv counts under the current contract only
    by_hand = {now: hand} if hand and (not names or hand in names) else {}
    facts = [Log(root, name).facts() for name in names or run_names if name in run_names]
    played: dict[str, list[Facts]] = {contract: [] for contract in by_hand}
    for run_facts in facts:
        assert run_facts is not None  # of a run that is there
        if names or run_facts.contract == now:
            played.setdefault(run_facts.contract, []).append(run_facts)
    boards = [_board(root, contract, mine, by_hand.get(contract, "")) for contract, mine in played.items()]
    if not (boards := [board for board in boards if board.standings]):
        raise ArenaError(
            "no run was played under the contract of now. Name runs of earlier ones: "
            + (", ".join(run_names) or "there are none")
            + "."
        )
    return boards


def _branch(root: Path) -> str:
    """Returns the name of the checkout's own run, its branch; empty where results.tsv has no row."""
    if not results_log.read(root / results_log.FILE).rows:
        return ""
    return git.call(root, "branch", "--show-current").stdout.strip() or "HEAD"


def _board(root: Path, contract: str, facts: list[Facts], hand: str) -> Board:
    tried_sources = on_candles_of(Ledger(root / LEDGER), contract)
    returns = {sha: row for sha, row in tried_sources.own.items() if row is not None}
    first = next(iter(returns.values()), np.empty(0))
    placed = tried_sources.placed(len(first))
    evidence = selection_bias.evidence(first, [*returns.values(), *placed.whole], tried_sources.count, placed.filled)

    def dsr(sha256: str) -> float:
        return _deflated(returns.get(sha256), evidence.effective)

    hand_standing = _by_hand(root, contract, hand, dsr) if hand else None
    standings = [_standing(run_facts, Log(root, run_facts.run).rounds(), dsr) for run_facts in facts] + (
        [hand_standing] if hand_standing else []
    )
    standings = [replace(standing, luck_line=evidence.luck_line) for standing in standings]
    standings.sort(
        key=lambda standing: (-standing.sharpe if not math.isnan(standing.sharpe) else math.inf, standing.run)
    )
    return Board(contract, len(tried_sources.own), tried_sources.others(), evidence.luck_line, tuple(standings))


def _by_hand(root: Path, contract: str, branch: str, dsr: Callable[[str], float]) -> Standing | None:
    """Returns the run in the checkout's results.tsv; None if no trial under this contract belongs to it."""
    from analysis import timeline

    story = timeline.read(root, empty=True)
    mine = [trial for trial in story.tried if not trial.elsewhere]
    if not mine:
        return None
    kept = [trial for trial in mine if trial.kept]
    top = max((trial for trial in kept if not math.isnan(trial.sharpe)), key=lambda trial: trial.sharpe, default=None)
    rounds = results_log.rounds(story.journal)
    return Standing(
        branch, BY_HAND, "", None, contract, len(rounds), 0, len(mine),
        sum(any(story.held(row) and row.event != "stable" for row in journal_round.rows) for journal_round in rounds),
        sum(passes(trial.result, dsr(trial.result.sha256)) for trial in kept),
        *_merits(top.result if top else None, dsr), 0, math.nan, (mine[-1].time - mine[0].time).total_seconds(),
        tuple(replace(story, tried=tuple(mine)).running_best()),
    )  # fmt: skip


def _deflated(returns: NDArray[np.float64] | None, effective: float) -> float:
    try:
        return math.nan if returns is None else selection_bias.deflated_sharpe(returns, effective)
    except SampleError:
        return math.nan


def _standing(facts: Facts, rounds: list[Round], dsr: Callable[[str], float]) -> Standing:
    agent, _, model = (rounds[-1].agent if rounds else facts.agent).partition(":")
    played = [round_ for round_ in rounds if round_.step == "settled"]
    top = best(played).tried
    usage = sum((round_.usage for round_ in rounds), Usage())
    kept = {tried.result.sha256: tried.result for tried in history(played) if tried.kept and tried.result}
    race = tuple(course(played))
    return Standing(
        facts.run, agent, model, facts.seed, facts.contract, len(played),
        sum(round_.step == "skipped" for round_ in rounds), len(race), sum(round_.kept for round_ in played),
        sum(passes(result, dsr(sha)) for sha, result in kept.items()),
        *_merits(top.result if top else None, dsr), usage.input_tokens + usage.output_tokens, usage.usd,
        sum(round_.seconds for round_ in rounds), race,
    )  # fmt: skip


def _merits(
    top: Result | None, dsr: Callable[[str], float]
) -> tuple[str, tuple[str, ...], float, float, float, float, float]:
    """
    Returns the fields from `strategy` to `dsr`, which follow from the best kept result; the board sets its luck line.
    """
    if top is None:
        return "", (), math.nan, math.nan, math.nan, math.nan, math.nan
    return top.strategy, failing(top), top.own.sharpe, top.sharpe_low, top.sharpe_high, math.nan, dsr(top.sha256)


def passes(result: Result, dsr: float) -> bool:
    """Whether the result would be ACCEPTED with this deflated Sharpe ratio; all other gates stay as judged."""
    return (
        bool(result.gates)
        and not result.error
        and all(dsr >= gate.limit if gate.gate == "dsr" else gate.passed for gate in result.gates)
    )


def failing(result: Result) -> tuple[str, ...]:
    """Returns failing gates, without those about luck: a Sharpe ratio of two lucky trades is high too."""
    return tuple(gate.gate for gate in result.gates if gate.applies and not gate.passed and gate.gate not in EVIDENCE)


def course(played: Iterable[Round]) -> Iterator[float]:
    """
    Yields for each trial of the run, oldest first, the best kept Sharpe ratio so far; nan before the first.

    A trial is a distinct source; failed and discarded ones count.
    """
    seen, top = set(), math.nan
    for tried in history(list(played)):
        if tried.result is None or tried.result.sha256 in seen:
            continue
        seen.add(tried.result.sha256)
        if tried.kept and not tried.result.error and not tried.result.own.sharpe <= top:
            top = tried.result.own.sharpe if not math.isnan(tried.result.own.sharpe) else top
        yield top


def table(boards: list[Board]) -> str:
    """Formats boards for a terminal: right-aligned figures, without columns that are empty in every row."""
    return "\n\n".join(_table(board) for board in boards)


def _table(board: Board) -> str:
    heads = (
        "run",
        "agent",
        "model",
        "seed",
        "rounds",
        "trials",
        "kept",
        "accepted",
        "best kept",
        "sharpe",
        "95 % interval",
        "dsr",
        "fails",
        "tokens",
        "USD",
        "time",
    )
    rows = [_row(standing) for standing in board.standings]
    shown = [
        k
        for k, head in enumerate(heads)
        if head not in ("model", "fails", "tokens", "USD") or any(row[k] not in ("", "0", "0.00") for row in rows)
    ]
    left = {"run", "agent", "model", "best kept", "fails"}
    text = tabulate(
        [[row[k] for k in shown] for row in rows],
        [heads[k] for k in shown],
        tablefmt="plain",
        colalign=["left" if heads[k] in left else "right" for k in shown],
        disable_numparse=True,
    )
    lines = [line.rstrip() for line in text.splitlines()]
    counts = [standing.trials for standing in board.standings]
    others = f" and {board.others} under other contracts" if board.others else ""
    lines.append(
        f"contract {board.contract[:8]}: {board.trials} trials of all runs{others}, luck line {board.luck_line:.2f}; "
        f"dsr and accepted as of today"
    )
    if min(counts) != max(counts):
        lines.append(
            f"who tries more often finds more: {min(counts)} to {max(counts)} trials a run. --picture FILE compares at "
            f"equal numbers"
        )
    return "\n".join(lines)


def _row(run: Standing) -> tuple[str, ...]:
    minutes, seconds = divmod(round(run.seconds), 60)
    return (
        run.run, run.agent, run.model, "-" if run.seed is None else str(run.seed), str(run.rounds), str(run.trials),
        str(run.kept), str(run.accepted), run.strategy or "-", f"{run.sharpe:.2f}", f"{run.low:.2f} {run.high:.2f}",
        f"{run.dsr:.3f}", _some(run.fails), str(run.tokens), "unknown" if math.isnan(run.usd) else f"{run.usd:.2f}",
        f"{minutes // 60}:{minutes % 60:02}:{seconds:02}",
    )  # fmt: skip


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def as_json(boards: list[Board]) -> str:
    """Returns every field of every standing in one JSON list; undefined figures are null."""
    return json.dumps([_defined(asdict(standing)) for board in boards for standing in board.standings], indent=1)


def _defined(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _defined(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def draw(board: Board, file: Path) -> str:
    """
    Draws the race of one contract's runs into a file and returns a line about it. Raises ArenaError for an unusable
    file.
    """
    from analysis import race  # takes a second to import; a table does not need it

    racers = [
        race.Racer(f"{standing.agent} {standing.model}".rstrip(), standing.run, standing.race)
        for standing in board.standings
        if standing.race
    ]
    try:
        race.draw(racers, board.luck_line, board.trials).savefig(file, dpi=race.DPI)
    except ValueError as error:
        raise ArenaError(f"{file}: {error}") from None
    return f"{file}: {len(racers)} runs at {race.length(racers)} trials each"
