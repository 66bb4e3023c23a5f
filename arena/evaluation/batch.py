"""
Turns a strategy file into a Result and two rows in the ledger. The first, written before any of its code runs, says
that it is tried; the second says what came of it.

An interrupted evaluation leaves only the first row, and counts as a try of that source. When the unchanged source is
evaluated to the end later, it is still one try. A file that is refused for its text is recorded too; none of its code
ran, so it is no try.
"""

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from arena import progress
from arena.checks import hardcoded_history
from arena.errors import RefusedError, StrategyError
from arena.evaluation import backends, figures
from arena.evaluation.backends import Outcome
from arena.evaluation.context import RESULT, EvaluationContext
from arena.ledger import data_lock, strategy_files
from arena.ledger.store import EVALUATION, Entry, returns_bytes
from arena.records import Result, Strategy
from arena.sandbox import client
from arena.sandbox.confinement import walls
from arena.startup import isolation
from arena.stats import gates, lazy_arch
from arena.text import printable

MANY = 8
"""From this many strategies on, separate processes are worth the time of their start."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A file before its evaluation: the strategy, or already the final answer."""

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


def evaluate_all(files: list[Path], arena: EvaluationContext) -> Iterator[Result]:
    """
    Yields results in file order as they become ready; `arena.compute` in config.json decides where they run.

    Records them in that order too, so a trial's number does not depend on which worker was the fastest. Also records
    what is complete when the evaluation is interrupted.
    """
    head = strategy_files.head(arena.settings.root)
    candidates = [_begin(file, arena, head) for file in files]
    arena.trials.announce([candidate.sha256 for candidate in candidates if candidate.strategy is not None])
    ready: dict[int, Outcome | None] = {}
    ended: list[Result] = []
    try:
        with contextlib.closing(_outcomes(candidates, arena, ready)) as outcomes:
            for i, outcome in outcomes:
                ready[i] = outcome
                progress.step(candidates[i].file.stem, "")
                while len(ended) in ready:
                    ended.append(_end(candidates[len(ended)], ready[len(ended)], arena))
                    yield ended[-1]
    finally:
        for i in sorted(ready):
            if i >= len(ended):  # interrupted
                _end(candidates[i], ready[i], arena, deeper=False)
    for result in ended:
        arena.trials.add(result)


def _outcomes(
    candidates: list[_Begun], arena: EvaluationContext, left: dict[int, Outcome | None]
) -> Generator[tuple[int, Outcome | None], None, None]:
    """
    Yields (index, what was earned or the fault) in the order in which they are ready; None if no evaluation is needed.
    After an interruption, outcomes that are ready but were not yielded go into `left`.
    """
    pending = {
        i: candidate.strategy
        for i, candidate in enumerate(candidates)
        if candidate.strategy is not None and candidate.known is None
    }
    yield from ((i, None) for i in range(len(candidates)) if i not in pending)
    backend = arena.settings.compute.backend
    for i in pending:  # in the files' order, before code of any of them runs
        _attempt(candidates[i], arena)
    if pending and (backend == "dask" or (backend == "loky" and len(pending) >= MANY)):
        places = list(pending)
        for k, outcome in backends.earn_many(list(pending.values()), arena):
            yield places[k], outcome
        return
    # one thread more than cores, so that the longest evaluation does not begin last
    pool = ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1)
    futures: dict[Future[Outcome], int] = {}
    try:
        futures = {pool.submit(backends.outcome, strategy, arena): i for i, strategy in pending.items()}
        # load arch while the workers start; in a thread, because an import may swallow Ctrl-C
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


def evaluate(file: Path, arena: EvaluationContext, head: str | None) -> Result:
    """
    Evaluates one file and records the trial; answers an unchanged source from the ledger. `head` is the commit that the
    file is compared with.

    A strategy's fault becomes a Result with `error`. Raises only ArenaError.
    """
    candidate, outcome = _begin(file, arena, head), None
    if candidate.strategy is not None and candidate.known is None:
        _attempt(candidate, arena)
        outcome = backends.outcome(candidate.strategy, arena)
    return _end(candidate, outcome, arena)


def _begin(file: Path, arena: EvaluationContext, head: str | None) -> _Begun:
    started, data, strategy, fault = time.perf_counter(), b"", None, None
    try:
        data = strategy_files.read(file)
        strategy = strategy_files.examine(file, arena.settings, data)
    except StrategyError as error:
        fault = RefusedError(str(error), error.frames)
    candidate = _Begun(
        file, data, started, strategy_files.label(arena.settings.root, head, file, data), strategy, fault=fault
    )
    if strategy is not None and arena.ledger and (answer := arena.ledger.answer(arena.lock.contract, strategy.sha256)):
        recorded = RESULT.validate_json(answer)
        if recorded.error or (
            recorded.look.why != figures.INTERRUPTED
            and (recorded.checks.causality == "full" or not _asks_more(recorded, arena))
        ):
            return replace(candidate, known=recorded)
    return candidate


def _asks_more(recorded: Result, arena: EvaluationContext) -> bool:
    """
    Whether a quick answer is not enough: when the full check is asked for and, in `auto`, if only that check kept it
    from validation.
    """
    if arena.causality != "auto":
        return arena.causality == "full"
    # checked first, because evidence takes time
    earned = all(gate.passed for gate in recorded.gates if gate.gate not in gates.EVIDENCE)
    return earned and all(gate.passed for gate in figures.as_of_now(recorded, arena).gates if gate.gate != "validation")


def _attempt(candidate: _Begun, arena: EvaluationContext) -> None:
    """Records in the ledger, before any of its code runs, that the strategy is tried."""
    if arena.ledger:
        source = candidate.data.decode(errors="replace")
        arena.ledger.begin(
            Entry("trial", arena.lock.contract, candidate.file.stem, candidate.sha256, source, candidate.commit),
            EVALUATION,
        )


def _end(candidate: _Begun, outcome: Outcome | None, arena: EvaluationContext, *, deeper: bool = True) -> Result:
    """Returns the Result, recorded unless it was known. With `deeper`, first asks more if the evidence justifies it."""
    if candidate.known is not None:
        updated = figures.as_of_now(candidate.known, arena)
        return replace(updated, commit=candidate.commit, seconds=time.perf_counter() - candidate.started, cached=True)
    data_lock.confirm(arena.lock)
    fields: dict[str, Any]
    judged: dict[str, Any] | StrategyError | None = None
    if outcome is not None:
        assert candidate.strategy is not None
        judged = backends.judged(outcome, candidate.strategy, arena, deeper=deeper)
        progress.step(candidate.file.stem, "")
    if isinstance(judged, dict):
        fields = judged
    else:
        fault = candidate.fault or judged
        assert fault is not None
        kind = type(fault).__name__
        # make each one printable line
        message, *frames = (printable(text) for text in (str(fault), *fault.frames))
        fields = {
            "error": message,
            "error_kind": kind,
            "frames": tuple(frames),
            "gates": gates.failed(kind),
            "engine": "-",
        }
        fields["seconds"] = time.perf_counter() - candidate.started
    result = Result(
        strategy=candidate.file.stem,
        sha256=candidate.sha256,
        commit=candidate.commit,
        contract=arena.lock.contract,
        source=arena.lock.source["label"],
        sandbox=", ".join((walls.level(), *isolation.gaps())),
        # only if it is Python
        literals=hardcoded_history.find(candidate.strategy.source) if candidate.strategy is not None else (),
        **fields,
    )
    if arena.ledger:
        arena.ledger.append(_entry(result, candidate.data.decode(errors="replace")))
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
