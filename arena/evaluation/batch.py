"""
One strategy file in, one Result out, and two rows in the ledger: before any of its code runs, that it is tried; and
what came of it.

An evaluation that is interrupted leaves the first row, and counts as a try of that source. When the unchanged source is
evaluated to the end later, it is still one try. A file that is refused for its text is recorded too; none of its code
ran, so it is no try.
"""

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from arena import progress
from arena.checks import hardcoded_history
from arena.errors import RefusedError, StrategyError
from arena.evaluation import backends, figures
from arena.evaluation.backends import Outcome
from arena.evaluation.context import RESULT, Arena
from arena.ledger import data_lock, strategy_files
from arena.ledger.store import EVALUATION, Entry, returns_bytes
from arena.records import Result, Strategy
from arena.sandbox import client
from arena.sandbox.confinement import walls
from arena.startup import isolation
from arena.stats import gates, lazy_arch
from arena.text import printable

MANY = 8
"""From this many strategies on, processes of their own are worth their start."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A file before its evaluation: the strategy, or already the end of it."""

    file: Path
    data: bytes
    started: float
    commit: str
    strategy: Strategy | None = None
    known: Result | None = None  # the ledger's answer
    fault: StrategyError | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def evaluate_all(files: list[Path], arena: Arena) -> Iterator[Result]:
    """
    Results in the files' order, each as soon as it and those before it are there; where, says `arena.compute`.

    They are recorded in that order too, so a trial's number does not depend on which worker was the fastest. What is
    complete when the evaluation is interrupted is recorded all the same.
    """
    head = strategy_files.head(arena.settings.root)
    begun = [_begin(file, arena, head) for file in files]
    arena.trials.announce([one.sha256 for one in begun if one.strategy is not None])
    ready: dict[int, Outcome | None] = {}
    ended: list[Result] = []
    try:
        with contextlib.closing(_outcomes(begun, arena, ready)) as outcomes:
            for i, outcome in outcomes:
                ready[i] = outcome
                progress.step(begun[i].file.stem, "")
                while len(ended) in ready:
                    ended.append(_end(begun[len(ended)], ready[len(ended)], arena))
                    yield ended[-1]
    finally:
        for i in sorted(ready):
            if i >= len(ended):  # interrupted
                _end(begun[i], ready[i], arena, deeper=False)
    for result in ended:
        arena.trials.add(result)


def _outcomes(
    begun: list[_Begun], arena: Arena, left: dict[int, Outcome | None]
) -> Iterator[tuple[int, Outcome | None]]:
    """
    What was earned, or the fault, by index, in the order in which it is ready; None for what needs no evaluation. What
    is ready and was not asked for any more, after an interruption, is put into `left`.
    """
    asked = [i for i, one in enumerate(begun) if one.strategy is not None and one.known is None]
    yield from ((i, None) for i in range(len(begun)) if i not in asked)
    backend = arena.settings.compute.backend
    for i in asked:  # in the files' order, before code of any of them runs
        _attempt(begun[i], arena)
    if asked and (backend == "dask" or (backend == "loky" and len(asked) >= MANY)):
        for k, outcome in backends.earn_many([begun[i].strategy for i in asked], arena):
            yield asked[k], outcome
        return
    # one more, so that the longest does not begin last
    pool = ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1)
    futures: dict[Future[Outcome], int] = {}
    try:
        futures = {pool.submit(backends.outcome, begun[i].strategy, arena): i for i in asked}
        # while the workers start; in a thread, because an import that Ctrl-C meets may swallow it
        threading.Thread(target=lazy_arch.bootstrap, daemon=True).start()
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        client.stop()  # after Ctrl-C no worker stays behind, and no thread waits for one
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        left.update(
            {
                i: future.result()
                for future, i in futures.items()
                if not future.cancelled() and future.exception() is None
            }
        )


def evaluate(file: Path, arena: Arena, head: str | None) -> Result:
    """
    Evaluate one file and record the trial; an unchanged source is answered from the ledger. `head` is the commit that
    it is compared with.

    A strategy's fault becomes a Result with `error`. Raises ArenaError alone.
    """
    begun, outcome = _begin(file, arena, head), None
    if begun.strategy is not None and begun.known is None:
        _attempt(begun, arena)
        outcome = backends.outcome(begun.strategy, arena)
    return _end(begun, outcome, arena)


def _begin(file: Path, arena: Arena, head: str | None) -> _Begun:
    started, data, strategy, fault = time.perf_counter(), b"", None, None
    try:
        data = strategy_files.read(file)
        strategy = strategy_files.examine(file, arena.settings, data)
    except StrategyError as error:
        fault = RefusedError(str(error), error.frames)
    begun = _Begun(
        file, data, started, strategy_files.label(arena.settings.root, head, file, data), strategy, fault=fault
    )
    if strategy is not None and arena.ledger and (answer := arena.ledger.answer(arena.lock.contract, strategy.sha256)):
        known = RESULT.validate_json(answer)
        if known.error or (
            known.look.why != figures.INTERRUPTED and (known.checks.causality == "full" or not _asks_more(known, arena))
        ):
            return replace(begun, known=known)
    return begun


def _asks_more(known: Result, arena: Arena) -> bool:
    """
    Whether a quick answer is not enough: to who asks for the full check, and in `auto` where only that check kept it
    from validation.
    """
    if arena.causality != "auto":
        return arena.causality == "full"
    # first: evidence takes its time
    earned = all(gate.passed for gate in known.gates if gate.gate not in gates.EVIDENCE)
    return earned and all(gate.passed for gate in figures.as_of_now(known, arena).gates if gate.gate != "validation")


def _attempt(begun: _Begun, arena: Arena) -> None:
    """From before its code runs the ledger knows that it is tried."""
    if arena.ledger:
        source = begun.data.decode(errors="replace")
        arena.ledger.begin(
            Entry("trial", arena.lock.contract, begun.file.stem, begun.sha256, source, begun.commit), EVALUATION
        )


def _end(begun: _Begun, outcome: Outcome | None, arena: Arena, *, deeper: bool = True) -> Result:
    """The Result, recorded unless it was known. What the evidence makes worth it is asked more first, `deeper`."""
    if begun.known is not None:
        now = figures.as_of_now(begun.known, arena)
        return replace(now, commit=begun.commit, seconds=time.perf_counter() - begun.started, cached=True)
    data_lock.confirm(arena.lock)
    sha256, fault = begun.sha256, begun.fault
    if outcome is not None:
        outcome = backends.judged(outcome, begun.strategy, arena, deeper=deeper)
        progress.step(begun.file.stem, "")
    if isinstance(outcome, dict):
        found = outcome
    else:
        fault = fault or outcome
        kind = type(fault).__name__
        # one line each, wherever they go from here
        told, *frames = (printable(text) for text in (str(fault), *fault.frames))
        found = {"error": told, "error_kind": kind, "frames": tuple(frames), "gates": gates.failed(kind), "engine": "-"}
        found["seconds"] = time.perf_counter() - begun.started
    result = Result(
        strategy=begun.file.stem,
        sha256=sha256,
        commit=begun.commit,
        contract=arena.lock.contract,
        source=arena.lock.source["label"],
        sandbox=", ".join((walls.level(), *isolation.gaps())),
        # of what is Python
        literals=hardcoded_history.find(begun.strategy.source) if begun.strategy is not None else (),
        **found,
    )
    if arena.ledger:
        arena.ledger.append(_entry(result, begun.data.decode(errors="replace")))
    return result


def _entry(result: Result, source: str) -> Entry:
    verdict = gates.verdict(result) if not result.error else f"FAIL: {printable(result.error)}"
    return Entry(
        kind="trial",
        contract=result.contract,
        strategy=result.strategy,
        sha256=result.sha256,
        source=source,
        commit_id=result.commit,
        error_kind=result.error_kind,
        result=json.dumps(asdict(replace(result, daily_returns=()))),
        verdict=verdict,
        returns=returns_bytes(result.daily_returns),
    )
