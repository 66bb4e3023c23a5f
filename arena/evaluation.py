"""One strategy file in, one Result out, and a row in the ledger."""

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from arena import figures, gates, literals, report, sandbox, significance, strategies, walls
from arena.errors import StrategyError
from arena.ledger import Entry, returns_bytes
from arena.opening import RESULT, Arena
from arena.records import Result


def evaluate_all(files: list[Path], arena: Arena) -> Iterator[Result]:
    """Results in the files' order, each as soon as it and those before it are there; one more worker at a time than cores."""
    head = strategies.head(arena.settings.root)
    arena.trials.announce([sha for file in files if (sha := _sha256(file))])
    pool = ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1)  # one more, so that the longest does not begin last
    try:
        futures = [pool.submit(evaluate, file, arena, head) for file in files]
        significance.load_libraries()  # while the workers start
        for future in futures:
            yield future.result()
        for future in futures:
            arena.trials.add(future.result())
    except BaseException:
        sandbox.stop()  # after Ctrl-C no worker stays behind
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def evaluate(file: Path, arena: Arena, head: str | None) -> Result:
    """
    Evaluate one file and record the trial; an unchanged source is answered from the ledger. `head` is the commit that it is
    compared with.

    A strategy's fault becomes a Result with `error`. Raises ArenaError alone.
    """
    started = time.perf_counter()
    blank = Result(
        strategy=file.stem,
        sha256="",
        commit="",
        contract=arena.lock.contract,
        source=arena.lock.source["label"],
        sandbox=walls.level(),
        engine="-",
        seconds=0.0,
    )
    data, spelled = b"", ()
    try:
        data = strategies.read(file)
        strategy = strategies.examine(file, arena.settings, data)
        if arena.ledger and (answer := arena.ledger.answer(arena.lock.contract, strategy.sha256)):
            known = RESULT.validate_json(answer)
            if arena.causality != "full" or known.error or known.checks.causality == "full":
                commit = strategies.label(arena.settings.root, head, file, data)
                now = figures.as_of_now(known, arena)
                return dataclasses.replace(now, commit=commit, seconds=time.perf_counter() - started, cached=True)
        spelled = literals.find(strategy.source)  # of what is Python
        found = figures.of(strategy, arena)
    except StrategyError as error:
        kind = type(error).__name__
        told, *frames = (report.printable(text) for text in (str(error), *error.frames))  # one line each, wherever they go from here
        found = {"error": told, "error_kind": kind, "frames": tuple(frames), "gates": gates.failed(kind)}
    source = data.decode(errors="replace")
    commit = strategies.label(arena.settings.root, head, file, data)
    result = dataclasses.replace(
        blank,
        sha256=hashlib.sha256(data).hexdigest(),
        commit=commit,
        literals=spelled,
        seconds=time.perf_counter() - started,
        **found,
    )
    if arena.ledger:
        arena.ledger.append(_entry(result, source))
    return result


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(strategies.read(file)).hexdigest()
    except StrategyError:
        return ""


def _entry(result: Result, source: str) -> Entry:
    verdict = gates.verdict(result) if not result.error else f"FAIL: {report.printable(result.error)}"
    return Entry(
        kind="trial",
        contract=result.contract,
        strategy=result.strategy,
        sha256=result.sha256,
        source=source,
        commit_id=result.commit,
        error_kind=result.error_kind,
        result=json.dumps(dataclasses.asdict(dataclasses.replace(result, daily_returns=()))),
        verdict=verdict,
        returns=returns_bytes(result.daily_returns),
    )
