"""
Runs side by side: what each tried, kept and paid, and what its best is worth against all that was tried in the same
arena.

What was played by program.md in the checkout itself, without drive.py, is a run too: results.tsv and git say what is
its own. Luck line, dsr and `accepted` are as of today: all runs of an arena share one ledger, so a run that ended early
is measured by the trials of those that came after it too. The numbers come from the logs and the ledger; nothing is
evaluated.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
"""Stands for the agent where a coding agent or a person followed it."""
SHOWN = 2
"""Most failing gates that a row names."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One run. Sharpe ratios are annualised, over the search range; what is undefined is nan."""

    run: str  # by hand: the branch
    agent: str  # by hand: BY_HAND
    model: str  # or the program, or the transcript; empty for agents without one
    seed: int | None  # None by hand
    contract: str
    rounds: int  # played; skipped ones are counted apart
    skipped: int
    trials: int  # distinct sources of its own
    kept: int  # rounds
    accepted: int  # distinct sources that it kept and that pass every gate today
    strategy: str  # the best that was kept; empty for none
    fails: tuple[str, ...]  # gates that say no to it, those of luck apart
    sharpe: float
    low: float  # 95 % interval of this one strategy: it knows nothing of the trials
    high: float
    luck_line: float  # of all trials under the contract
    dsr: float  # against all of them
    tokens: int
    usd: float  # nan: the price is unknown
    seconds: float  # in rounds, of all starts; by hand from the first trial to the last
    race: tuple[float, ...]  # by own trial, the best that was kept so far


@dataclass(frozen=True, slots=True)
class Board:
    """All runs under one contract, the best first."""

    contract: str
    trials: int  # distinct sources under the contract, whoever tried them
    others: int  # sources that other contracts alone have tried on these candles: they count in the luck line too
    luck_line: float
    standings: tuple[Standing, ...]


def read(root: Path, names: list[str]) -> list[Board]:
    """
    Boards of the runs that are named, or of all under the contract of now; one a contract, because their figures do not
    compare.

    Raises ArenaError where there is no such run.
    """
    hand, known = _branch(root), runs(root)
    if unknown := [name for name in names if name not in (*known, hand)]:
        raise ArenaError(
            f"there is no run {unknown[0]!r}. There are: {', '.join([*known, *filter(None, [hand])]) or 'none'}."
        )
    locked = data_lock.read(root)
    now = locked.contract if locked else ""
    # results.tsv is told under the contract of now alone
    by_hand = {now: hand} if hand and (not names or hand in names) else {}
    facts = [Log(root, name).facts() for name in names or known if name in known]
    played: dict[str, list[Facts]] = {contract: [] for contract in by_hand}
    for one in facts:
        assert one is not None  # of a run that is there
        if names or one.contract == now:
            played.setdefault(one.contract, []).append(one)
    boards = [_board(root, contract, mine, by_hand.get(contract, "")) for contract, mine in played.items()]
    if not (boards := [board for board in boards if board.standings]):
        raise ArenaError(
            "no run was played under the contract of now. Name runs of earlier ones: "
            + (", ".join(known) or "there are none")
            + "."
        )
    return boards


def _branch(root: Path) -> str:
    """Under which name the checkout's own run stands: its branch; empty where results.tsv has no row."""
    if not results_log.read(root / results_log.FILE).rows:
        return ""
    return git.call(root, "branch", "--show-current").stdout.strip() or "HEAD"


def _board(root: Path, contract: str, facts: list[Facts], hand: str) -> Board:
    known = on_candles_of(Ledger(root / LEDGER), contract)
    returns = {sha: row for sha, row in known.own.items() if row is not None}
    first = next(iter(returns.values()), np.empty(0))
    placed = known.placed(len(first))
    found = selection_bias.evidence(first, [*returns.values(), *placed.whole], known.count, placed.filled)

    def dsr(sha256: str) -> float:
        return _deflated(returns.get(sha256), found.effective)

    own = _by_hand(root, contract, hand, dsr) if hand else None
    standings = [_standing(one, Log(root, one.run).rounds(), dsr) for one in facts] + ([own] if own else [])
    standings = [replace(one, luck_line=found.luck_line) for one in standings]
    standings.sort(key=lambda one: (-one.sharpe if not math.isnan(one.sharpe) else math.inf, one.run))
    return Board(contract, len(known.own), known.others(), found.luck_line, tuple(standings))


def _by_hand(root: Path, contract: str, branch: str, dsr: Callable[[str], float]) -> Standing | None:
    """The run that results.tsv of the checkout tells of; None where no trial under this contract is its own."""
    from analysis import timeline

    told = timeline.read(root, empty=True)
    mine = [one for one in told.tried if not one.elsewhere]
    if not mine:
        return None
    kept = [one for one in mine if one.kept]
    top = max((one for one in kept if not math.isnan(one.sharpe)), key=lambda one: one.sharpe, default=None)
    rounds = results_log.rounds(told.journal)
    return Standing(
        branch, BY_HAND, "", None, contract, len(rounds), 0, len(mine),
        sum(any(told.held(row) and row.event != "stable" for row in one.rows) for one in rounds),
        sum(passes(one.result, dsr(one.result.sha256)) for one in kept), *_merits(top.result if top else None, dsr), 0,
        math.nan, (mine[-1].time - mine[0].time).total_seconds(),
        tuple(replace(told, tried=tuple(mine)).running_best()),
    )  # fmt: skip


def _deflated(returns: NDArray[np.float64] | None, effective: float) -> float:
    try:
        return math.nan if returns is None else selection_bias.deflated_sharpe(returns, effective)
    except SampleError:
        return math.nan


def _standing(facts: Facts, rounds: list[Round], dsr: Callable[[str], float]) -> Standing:
    agent, _, model = (rounds[-1].agent if rounds else facts.agent).partition(":")
    played = [one for one in rounds if one.step == "settled"]
    top = best(played).tried
    usage = sum((one.usage for one in rounds), Usage())
    kept = {tried.result.sha256: tried.result for tried in history(played) if tried.kept and tried.result}
    race = tuple(course(played))
    return Standing(
        facts.run, agent, model, facts.seed, facts.contract, len(played), sum(one.step == "skipped" for one in rounds),
        len(race), sum(one.kept for one in played), sum(passes(one, dsr(sha)) for sha, one in kept.items()),
        *_merits(top.result if top else None, dsr), usage.input_tokens + usage.output_tokens, usage.usd,
        sum(one.seconds for one in rounds), race,
    )  # fmt: skip


def _merits(
    top: Result | None, dsr: Callable[[str], float]
) -> tuple[str, tuple[str, ...], float, float, float, float, float]:
    """From `strategy` to `dsr`, the fields that follow from the best that was kept; its luck line is the board's."""
    if top is None:
        return "", (), math.nan, math.nan, math.nan, math.nan, math.nan
    return top.strategy, failing(top), top.own.sharpe, top.sharpe_low, top.sharpe_high, math.nan, dsr(top.sha256)


def passes(result: Result, dsr: float) -> bool:
    """Whether it would be ACCEPTED with this deflated Sharpe ratio: all other gates as they were judged."""
    return (
        bool(result.gates)
        and not result.error
        and all(dsr >= gate.limit if gate.gate == "dsr" else gate.passed for gate in result.gates)
    )


def failing(result: Result) -> tuple[str, ...]:
    """Gates that say no, those apart that say whether it is luck: a Sharpe ratio of two lucky trades is high too."""
    return tuple(gate.gate for gate in result.gates if gate.applies and not gate.passed and gate.gate not in EVIDENCE)


def course(played: Iterable[Round]) -> Iterator[float]:
    """
    By trial of the run's own, oldest first, the best Sharpe ratio that was kept so far; nan before the first.

    A trial is a distinct source, failed and discarded ones included.
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
    """For a terminal: right-aligned figures, columns that are empty for all left out."""
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
    rows = [_row(one) for one in board.standings]
    shown = [
        k
        for k, head in enumerate(heads)
        if head not in ("model", "fails", "tokens", "USD") or any(row[k] not in ("", "0", "0.00") for row in rows)
    ]
    cells = [[line[k] for k in shown] for line in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = {"run", "agent", "model", "best kept", "fails"}
    lines = [
        "  ".join(
            cell.ljust(width) if heads[k] in left else cell.rjust(width)
            for k, cell, width in zip(shown, line, widths, strict=True)
        ).rstrip()
        for line in cells
    ]
    counts = [one.trials for one in board.standings]
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


def _row(one: Standing) -> tuple[str, ...]:
    minutes, seconds = divmod(round(one.seconds), 60)
    return (
        one.run, one.agent, one.model, "-" if one.seed is None else str(one.seed), str(one.rounds), str(one.trials),
        str(one.kept), str(one.accepted), one.strategy or "-", f"{one.sharpe:.2f}", f"{one.low:.2f} {one.high:.2f}",
        f"{one.dsr:.3f}", _some(one.fails), str(one.tokens), "unknown" if math.isnan(one.usd) else f"{one.usd:.2f}",
        f"{minutes // 60}:{minutes % 60:02}:{seconds:02}",
    )  # fmt: skip


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def as_json(boards: list[Board]) -> str:
    """Every field of every standing, in one list; what is undefined is null."""
    return json.dumps([_defined(asdict(one)) for board in boards for one in board.standings], indent=1)


def _defined(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _defined(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def draw(board: Board, file: Path) -> str:
    """
    Draw the race of the runs of one contract into a file; returns what was drawn. Raises ArenaError for a file that
    cannot be one.
    """
    from analysis import race  # a second of libraries that a table does not need

    racers = [race.Racer(f"{one.agent} {one.model}".rstrip(), one.run, one.race) for one in board.standings if one.race]
    try:
        race.draw(racers, board.luck_line, board.trials).savefig(file, dpi=race.DPI)
    except ValueError as error:
        raise ArenaError(f"{file}: {error}") from None
    return f"{file}: {len(racers)} runs at {race.length(racers)} trials each"
