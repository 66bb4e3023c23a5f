"""
versions/<v>/: the permanent record of a run. judge.py writes it once; any later change to a file breaks SHA256SUMS.

The one exception is retrospective.md, which a person completes: it joins the sums once no place in it is marked for the
author. Corrections of an archived version go to its errata.md, which no sum covers. An archive holds no candles.
"""

import json
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from arena.errors import ArenaError
from arena.evaluation.context import EvaluationContext
from arena.files import file_sha256, write_whole
from arena.ledger import data_lock, results_log, strategy_files
from arena.ledger.store import Ledger, Trial, distinct
from arena.stats import gates
from arena.stats.holdout_test import Judgement
from judge import holdout, retrospective
from judge.archive_reader import ERRATA, FOLDER, META, RETROSPECTIVE, SUMS, TRIALS, UNCOVERED, broken, read, versions
from judge.holdout import Plan


def vacant(root: Path, version: str) -> Path:
    """Returns the folder for a new version. Raises ArenaError if it exists already."""
    folder = root / FOLDER / version
    if folder.exists():
        raise ArenaError(
            f"{FOLDER}/{version} is there already, and an archived version stays as it is. Choose another number."
        )
    return folder


def write(arena: EvaluationContext, ledger: Ledger, made: Plan, judged: Sequence[Judgement], picture: bytes) -> Path:
    """Writes the whole version or nothing, then the index beside it. `picture` is frontier.png. Returns the folder."""
    root = arena.settings.root
    folder = vacant(root, made.version)
    folder.parent.mkdir(exist_ok=True)
    trials = ledger.trials(arena.lock.contract)
    meta = describe(arena, ledger, made, judged, trials)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{made.version}-") as name:
        new = Path(name, made.version)
        (new / "strategies").mkdir(parents=True)
        for candidate in made.candidates:
            (new / "strategies" / candidate.strategy.path.name).write_bytes(candidate.data)
        (new / META).write_text(yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
        table(trials).to_parquet(new / TRIALS, index=False)
        (new / results_log.FILE).write_bytes(_bytes(root / results_log.FILE) or f"{results_log.HEADER}\n".encode())
        (new / "run.log").write_bytes(_bytes(root / "run.log").replace(str(root).encode(), b"."))
        (new / "frontier.png").write_bytes(picture)
        (new / RETROSPECTIVE).write_text(
            retrospective.text(meta, distinct(trials).values(), results_log.read(root / results_log.FILE)),
            encoding="utf-8",
        )
        (new / SUMS).write_text(_sums(new))
        new.rename(folder)
    index(root)
    return folder


def close(root: Path, version: str) -> None:
    """
    Adds the finished retrospective to the sums. Raises ArenaError while places are left for the author, or if a file
    has changed.
    """
    folder = root / FOLDER / version
    if not (folder / SUMS).exists():
        raise ArenaError(
            f"there is no archived version at {FOLDER}/{version}. There are: {', '.join(versions(root)) or 'none'}."
        )
    if problems := broken(folder):
        raise ArenaError(f"{FOLDER}/{version}: {problems[0]}. Restore it from git; corrections go to {ERRATA}.")
    left = (folder / RETROSPECTIVE).read_text(encoding="utf-8").count(retrospective.MARK)
    if left:
        raise ArenaError(
            f"{FOLDER}/{version}/{RETROSPECTIVE} has {left} places marked {retrospective.MARK}. Write them first."
        )
    write_whole(folder / SUMS, _sums(folder).encode())


def describe(
    arena: EvaluationContext, ledger: Ledger, made: Plan, judged: Sequence[Judgement], trials: list[Trial]
) -> dict[str, Any]:
    """Returns the content of meta.yaml. Ratios are fractions, Sharpe ratios annualised; undefined values are null."""
    settings, trial_by_sha = arena.settings, distinct(trials)
    results = {sha: json.loads(trial.result) for sha, trial in trial_by_sha.items()}
    rows = results_log.read(settings.root / results_log.FILE)
    ranges = arena.lock.arena["ranges"]
    return plain({
        "version": made.version,
        "archived": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": made.commit,
        "arena": {
            "exchange": settings.exchange, "source": arena.lock.source["label"], "pairs": list(settings.pairs),
            "timeframe": settings.timeframe, "informative_timeframes": list(settings.informative_timeframes),
            "fee": settings.fee, "stake_currency": settings.stake_currency, "wallet": settings.wallet,
            "slots": settings.max_open_trades, "max_strategies": settings.max_strategies,
        }, "dates": {
            **{name: ranges.get(name) for name in ("search", "validation", "holdout")},
            "windows": {w.name: f"{w.start:%Y%m%d}-{w.end:%Y%m%d}" for w in settings.windows},
            "warmup_from": f"{settings.warmup_from:%Y%m%d}", "first_trial": trials[0].time if trials else None,
            "last_trial": trials[-1].time if trials else None,
        }, "contract": {
            "hash": arena.lock.contract, "conditions": data_lock.conditions(arena.lock),
            "holdout": holdout.candles_id(arena), "arena": arena.lock.arena, "engines": arena.lock.engines,
            "ledger_head": ledger.head(),
        }, "counts": {
            "trials": ledger.n_trials(arena.lock.contract), "evaluations": len(trials),
            "failed": sum(bool(t.error_kind) for t in trial_by_sha.values()), "rounds": len(results_log.rounds(rows)),
            "events": dict(Counter(row.event for row in rows.rows)),
            "validation_looks": max((r["look"]["looks"] for r in results.values()), default=0),
            "holdout_openings": made.prospect.openings,
        },
        "peak": _peak(trial_by_sha, results, strategy_files.history(settings.root)),
        "strategies": [
            {**asdict(judgement), "commit": candidate.trial.commit, "search_verdict": candidate.trial.verdict}
            for judgement, candidate in zip(judged, made.candidates, strict=True)
        ],
        "limits": list(_limits(arena, made)),
    })  # fmt: skip


def _peak(trial_by_sha: dict[str, Trial], results: dict[str, dict], kept: set[str]) -> dict[str, Any]:
    """Returns the best figures with their strategies, and the Sharpe ratio that luck alone would reach."""
    peaks: dict[str, Any] = {}
    for title, figure, allowed in (
        ("sharpe_of_all", lambda r: r["own"]["sharpe"], lambda t, r: True),
        ("sharpe_of_kept", lambda r: r["own"]["sharpe"], lambda t, r: t.commit in kept),
        ("sharpe_that_passed_every_gate", lambda r: r["own"]["sharpe"], lambda t, r: gates.earned(r["gates"])),
        ("robust_sharpe_of_kept", lambda r: r["robust_sharpe"], lambda t, r: t.commit in kept),
    ):
        values = [
            (figure(r), trial_by_sha[sha])
            for sha, r in results.items()
            if not r["error"] and allowed(trial_by_sha[sha], r) and not math.isnan(figure(r))
        ]
        best = max(values, key=lambda pair: pair[0], default=None)
        peaks[title] = best and {"value": best[0], "strategy": best[1].strategy, "commit": best[1].commit}
    evidence = [r["evidence"] for r in results.values() if not math.isnan(r["evidence"]["luck_line"])]
    return peaks | {
        "luck_line": evidence[-1]["luck_line"] if evidence else None,
        "effective_trials": evidence[-1]["effective"] if evidence else None,
    }


def _limits(arena: EvaluationContext, made: Plan) -> Iterator[str]:
    """Yields what this version cannot know about itself."""
    prospect = made.prospect
    if not arena.settings.holdout:
        yield "there is no holdout: nothing in here was confirmed"
    elif math.isnan(prospect.detectable):
        yield f"a holdout of {prospect.days} days is too short to confirm anything"
    else:
        yield (
            f"a holdout of {prospect.days} days finds a true Sharpe of {prospect.detectable:.2f} in 80 of 100 cases, "
            f"and smaller ones less often"
        )
    if arena.settings.validation is None:
        yield "there is no validation window"
    if made.before:
        yield f"this holdout was opened for {made.before} other sources before"
    yield "the ledger knows the trials of its own folder alone"
    yield "the amounts were never too large for the market: impact is not modelled"


def table(trials: list[Trial]) -> pd.DataFrame:
    """Returns one row per evaluation, oldest first, with its daily returns over the search range."""
    rows = []
    for number, trial in enumerate(trials, 1):
        result = json.loads(trial.result)
        own = result["own"]
        figures = {
            name: own[name]
            for name in (
                "sharpe",
                "profit",
                "max_drawdown",
                "trades",
                "win_rate",
                "profit_factor",
                "exposure",
                "turnover",
                "fees",
            )
        }
        evidence = {name: result["evidence"][name] for name in ("trials", "effective", "luck_line", "dsr", "pbo")}
        about = {
            "number": number,
            **{
                name: getattr(trial, name) for name in ("time", "strategy", "commit", "sha256", "error_kind", "verdict")
            },
        }
        whole = {"source": trial.source, "result": trial.result, "daily_returns": trial.returns.tolist()}
        rows.append(
            about
            | figures
            | {"robust_sharpe": result["robust_sharpe"], "passed": gates.earned(result["gates"])}
            | evidence
            | whole
        )
    return pd.DataFrame(rows)


def index(root: Path) -> None:
    """Writes versions/README.md: one row per archived version."""
    lines = [
        "# Archived versions", "", "Each folder is a run as it was, written by `judge.py open` and never changed; "
                                   "corrections are in its `errata.md`.", "",
        "| version | archived | arena | trials | best kept Sharpe | luck line | strategies, and what the holdout "
        "said |", "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for version in versions(root):
        meta = read(root, version)
        arena, best, luck = meta["arena"], meta["peak"]["sharpe_of_kept"], meta["peak"]["luck_line"]
        verdicts = "; ".join(f"{strategy['strategy']}: {strategy['verdict']}" for strategy in meta["strategies"])
        cells = (
            f"[{version}]({version}/{RETROSPECTIVE})", meta["archived"][:10],
            f"{arena['source']}, {len(arena['pairs'])} pairs, {arena['timeframe']}, {meta['dates']['search']}",
            str(meta["counts"]["trials"]), f"{best['value']:.2f}" if best else "none",
            "none" if luck is None else f"{luck:.2f}", verdicts,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    write_whole(root / FOLDER / "README.md", ("\n".join(lines) + "\n").encode())


def _sums(folder: Path) -> str:
    covered = [
        file for file in sorted(folder.rglob("*")) if file.is_file() and str(file.relative_to(folder)) not in UNCOVERED
    ]
    unfinished = retrospective.MARK in (folder / RETROSPECTIVE).read_text(encoding="utf-8")
    return "".join(
        f"{file_sha256(file)}  {file.relative_to(folder)}\n"
        for file in covered
        if not (unfinished and file.name == RETROSPECTIVE)
    )


def plain(value: Any) -> Any:
    """Converts a value for YAML: nan becomes null, tuples become lists, records become mappings."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(child) for child in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _bytes(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""
