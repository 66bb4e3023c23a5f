"""Repositories in which drive.py can be started, transcripts for it to play back, and what must hold after any run."""

import json
import shutil
import subprocess
import sys

from arenas import ROOT, STRATEGY, checkout, command, prepared
from waiting import HEARS_CTRL_C

import drive as drive_command
from arena.ledger import data_lock, results_log, strategy_files
from arena.ledger.store import LEDGER, Ledger
from loop.run_log import Log
from loop.worktree import RESULTS

IDENTITY = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]


def git(folder, *arguments):
    return subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def repository(folder):
    """
    A prepared checkout, committed, without strategies. The code that runs in it is this repository's, which is compiled
    already.
    """
    made = checkout(folder).resolve()
    for name in (".gitignore", "program.md"):
        shutil.copy(ROOT / name, made)
    prepared(
        made,
        arena={
            "windows": {"spring": "20210301-20210415", "summer": "20210415-20210601"},
            "validation": "20210601-20210701",
            "holdout": None,
        },
    )
    git(made, "init", "-q")
    git(made, "add", ".")
    git(made, "commit", "-qm", "begin")
    return made


def source(name, fast=8, slow=24, extra=""):
    """A moving-average cross; other figures make another trial."""
    text = STRATEGY.format(name=name, extra=f"    {extra}\n" if extra else "", indicators="", callbacks="")
    return text.replace("timeperiod=8", f"timeperiod={fast}").replace("timeperiod=24", f"timeperiod={slow}")


def change(event, name, text="", *, parent="", note="hypothesis -> robust up"):
    return {"event": event, "strategy": name, "source": text, "parent": parent, "note": note}


def transcript(folder, *rounds, learnings=None, usage=None):
    """A folder for the replay agent: each round is a list of changes."""
    folder.mkdir(parents=True)
    for number, changes in enumerate(rounds, 1):
        proposal = {
            "changes": changes,
            "learnings": learnings,
            "usage": usage or {},
            "record": {"response": f"round {number}"},
            "end": "",
        }
        (folder / f"{number:04d}.json").write_text(json.dumps({"proposal": proposal}))
    return folder


def start(repo, *arguments, agent="replay", code=""):
    """drive.py as a process of its own, as a user starts it; not waited for. `code` runs in it first."""
    script = (
        f"import runpy, sys\nsys.path.insert(0, "
        f"{str(ROOT)!r})\n{code}\nrunpy.run_path({str(ROOT / 'drive.py')!r}, run_name='__main__')"
    )
    words = [sys.executable, "-P", "-c", script, "--agent", agent, "--tag", "t", *map(str, arguments)]
    group = {"process_group": 0}  # of its own, as a terminal's foreground
    return subprocess.Popen(
        words, cwd=repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **group, **HEARS_CTRL_C
    )


def drive(repo, *words, agent="replay"):
    """The command in this process, whose workers are warm."""
    return command(drive_command.cli, repo, "drive.py", "--agent", agent, "--tag", "t", *map(str, words))


def worktree(repo, run="t"):
    return repo / "user_data" / "worktrees" / run


def rows(repo, run="t"):
    return results_log.read(worktree(repo, run) / RESULTS).rows


def played(repo, run="t"):
    return Log(repo.resolve(), run).rounds()


def check(repo, run="t"):
    """
    What holds after every run and every repair: results.tsv breaks no rule and names every round once, git stands where
    the log says, every row has its trial, and every strategy that was kept is there.
    """
    place, log = worktree(repo, run), played(repo, run)
    written = results_log.read(place / RESULTS)
    assert written.problems == ()
    assert results_log.violations(written, 3, 3) == ()
    done = [one for one in log if one.step != "skipped"]
    assert [one.step for one in done] == ["settled"] * len(done)
    by_commit = [[row for row in written.rows if one.commit.startswith(row.commit)] for one in done]
    assert [[row.strategy for row in group] for group in by_commit] == [
        [tried.strategy for tried in one.tried] for one in done
    ]
    assert sum(map(len, by_commit)) == len(written.rows)
    kept = [one.commit for one in done if one.kept]
    assert git(place, "log", "--format=%H", f"--max-count={len(kept)}").split() == kept[::-1]
    assert git(place, "symbolic-ref", "HEAD") == f"refs/heads/autoresearch/{run}"
    assert git(place, "status", "--porcelain") == ""
    assert not list((repo / ".git").rglob("*.lock"))
    ledger = Ledger(repo / LEDGER)
    assert ledger.check() == []
    trials = {(trial.strategy, trial.sha256) for trial in ledger.trials(data_lock.read(repo).contract)}
    judged = [tried for one in done for tried in one.tried if tried.result is not None]
    assert not [tried.strategy for tried in judged if (tried.strategy, tried.result.sha256) not in trials]
    files = {file.stem: file.read_text() for file in (place / strategy_files.FOLDER).glob("[!_]*.py")}
    last = next((one for one in reversed(done) if one.kept), None)
    assert files == ({tried.strategy: tried.source for tried in last.tried if tried.result} if last else {})
    return log


def untouched(repo):
    """What a run must leave as it is: branch, index, files of the checkout, other branches."""
    return (
        git(repo, "rev-parse", "HEAD"), git(repo, "status", "--porcelain"), git(repo, "diff"),
        git(repo, "diff", "--cached"), git(repo, "stash", "list"), (repo / ".git" / "HEAD").read_text(),
    )  # fmt: skip
