"""
judge.py open: the holdout is opened once for each source, recorded before anything is known, and never on disk in the
clear.
"""

import io
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import runs
import yaml
from arenas import ROOT, checkout, prepared, strategy
from runs import evaluate, judge, made, noted
from test_run import commit, git
from waiting import PATIENCE_S, until

from arena import settings
from arena.errors import ArenaError
from arena.evaluation import context
from arena.ledger import data_lock, store
from arena.ledger.store import Entry, Ledger
from arena.preparation import dataset
from judge import archive, archive_reader, holdout, retrospective

LATE_PEEK = """\
late = dataframe["date"] >= "2021-10-01"
dataframe["fast"] = dataframe["fast"].where(~late, dataframe["close"].shift(-6))
dataframe["slow"] = dataframe["slow"].where(~late, dataframe["close"])"""


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return made(tmp_path_factory.mktemp("played"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return runs.opened(tmp_path_factory.mktemp("opened") / "repo")


@pytest.fixture
def repo(played, tmp_path):
    shutil.copytree(played, tmp_path / "repo")
    return tmp_path / "repo"


@pytest.fixture
def judged_repo(opened, tmp_path):
    shutil.copytree(opened[0], tmp_path / "repo")
    return tmp_path / "repo"


def nothing_opened(folder, done, *words):
    assert done.returncode == 2
    assert not noted(folder, "opening") and not noted(folder, "judgement")
    assert not (folder / "versions").exists()
    for word in words:
        assert word in done.stderr
    return True


@pytest.mark.slow
def test_every_strategy_has_its_verdict_beside_search_validation_and_holding(opened):
    folder, done = opened
    assert (done.returncode, done.stderr) == (0, "")
    assert "holdout:    2021-10-01 to 2021-11-01, 31 days; opened for 0 sources so far, 2 more now" in done.stdout
    assert done.stdout.count("is confirmed with probability") == 2
    blocks = done.stdout.split("---\n")[1:]
    for name, block in zip(("Alpha", "Beta"), blocks, strict=True):
        lines = dict(line.split(":", 1) for line in block.splitlines() if ":" in line)
        assert lines["strategy"].strip() == name
        assert lines["verdict"].strip().split(":")[0] in ("confirmed", "rejected", "not enough evidence")
        days = [int(lines[part].split("days=")[1].split()[0]) for part in ("search", "validation", "holdout")]
        assert days == [184, 30, 31]
        low, high = map(float, lines["ci95"].split())
        assert low < float(lines["holdout"].split("sharpe=")[1].split()[0]) < high
        assert "bah_sharpe=" in lines["holdout"]


@pytest.mark.slow
def test_openings_are_recorded_before_judgements_and_the_chain_holds(opened):
    folder, _ = opened
    openings, judgements = noted(folder, "opening"), noted(folder, "judgement")
    assert {one.strategy for one in openings} == {one.strategy for one in judgements} == {"Alpha", "Beta"}
    assert max(one.number for one in openings) < min(one.number for one in judgements)
    assert Ledger(folder / store.LEDGER).check() == []


@pytest.mark.slow
def test_one_continuous_run_gives_the_search_range_the_figures_of_the_ledger(opened):
    _, done = opened
    assert "in the run that goes on, the search range has" not in done.stdout


@pytest.mark.slow
def test_a_second_opening_gives_the_recorded_answer_and_is_no_opening(judged_repo):
    before = [(one.strategy, one.result) for one in noted(judged_repo, "judgement")]
    done = judge(judged_repo, "open", "0.2.0")
    assert (done.returncode, done.stderr) == (0, "")  # nothing to confirm
    assert done.stdout.count("when it was opened for 0.1.0; that stands") == 2
    assert [(one.strategy, one.result) for one in noted(judged_repo, "judgement")] == before
    assert len(noted(judged_repo, "opening")) == 2
    metas = [
        yaml.safe_load((judged_repo / "versions" / version / "meta.yaml").read_text()) for version in ("0.1.0", "0.2.0")
    ]
    assert metas[0]["strategies"] == metas[1]["strategies"]


@pytest.mark.nightly
def test_a_changed_strategy_is_another_source_and_the_level_is_shared(judged_repo):
    strategy(settings.load(judged_repo / "config.json"), "Alpha", extra="stoploss = -0.07")
    commit(judged_repo)
    evaluate(judged_repo)
    done = judge(judged_repo, "open", "0.2.0", "--yes")
    assert done.returncode == 0, done.stderr
    assert "opened for 2 sources so far, 1 more now" in done.stdout
    assert len(noted(judged_repo, "opening")) == 3
    told = json.loads(noted(judged_repo, "judgement")[-1].result)
    assert told["openings"] == 3 and told["needed"] == pytest.approx(1 - 0.05 / 3)


@pytest.mark.slow
def test_lookahead_that_begins_in_the_holdout_is_found_there(repo):
    (repo / "user_data" / "strategies" / "Beta.py").unlink()
    strategy(settings.load(repo / "config.json"), "Alpha", indicators=LATE_PEEK)
    commit(repo)
    evaluate(repo)
    done = judge(repo, "open", "0.1.0", "--yes")
    assert done.returncode == 0, done.stderr
    assert "verdict:    rejected: causality: " in done.stdout
    meta = yaml.safe_load((repo / "versions/0.1.0/meta.yaml").read_text())
    assert meta["strategies"][0]["verdict"] == "rejected" and meta["strategies"][0]["holdout"] is None


@pytest.mark.nightly
def test_what_failed_in_the_search_is_not_shown_the_holdout(repo):
    strategy(settings.load(repo / "config.json"), "Alpha", indicators="raise RuntimeError('no')")
    commit(repo)
    subprocess.run([sys.executable, "run.py", "--causality", "quick"], cwd=repo, capture_output=True)
    done = judge(repo, "open", "0.1.0", "--yes")
    assert done.returncode == 0, done.stderr
    assert "Alpha: failed in the search, not opened for it" in done.stdout
    assert [one.strategy for one in noted(repo, "opening")] == ["Beta"]


@pytest.mark.slow
def test_without_a_word_of_confirmation_nothing_is_opened(repo):
    assert nothing_opened(repo, judge(repo, "open", "0.1.0"), "nobody is there to confirm", "--yes")


@pytest.mark.slow
def test_a_missing_key_opens_nothing(repo, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    assert nothing_opened(repo, judge(repo, "open", "0.1.0", "--yes"), "key", "cannot be read")


@pytest.mark.slow
def test_a_tampered_file_opens_nothing(repo):
    file = repo / data_lock.DATA / "holdout.sealed"
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(bytes(data))
    assert nothing_opened(repo, judge(repo, "open", "0.1.0", "--yes"), "holdout.sealed has changed since the lock")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1", "v1.0", "0.1.0/..", "../0.1", "0.1.0 "])
def test_a_version_that_is_none_is_refused(repo, version):
    assert nothing_opened(repo, judge(repo, "open", version, "--yes"), "is no version")


@pytest.mark.slow
def test_what_is_not_committed_or_was_never_evaluated_is_refused_by_name(repo):
    strategy(settings.load(repo / "config.json"), "Alpha", extra="stoploss = -0.05")
    assert nothing_opened(repo, judge(repo, "open", "0.1.0", "--yes"), "Alpha.py is not as it was committed")
    commit(repo)
    assert nothing_opened(repo, judge(repo, "open", "0.1.0", "--yes"), "Alpha.py was never evaluated")


@pytest.mark.slow
def test_a_broken_ledger_opens_nothing(repo):
    with sqlite3.connect(repo / store.LEDGER) as db:
        db.execute("DELETE FROM entries WHERE number = 2")
    assert nothing_opened(
        repo, judge(repo, "open", "0.1.0", "--yes"), "the ledger is not as it was written: entry 2 is missing"
    )


@pytest.mark.slow
def test_an_archived_version_is_not_written_again(judged_repo):
    before = (judged_repo / "versions/0.1.0/SHA256SUMS").read_bytes()
    done = judge(judged_repo, "open", "0.1.0", "--yes")
    assert done.returncode == 2 and "versions/0.1.0 is there already" in done.stderr
    assert (judged_repo / "versions/0.1.0/SHA256SUMS").read_bytes() == before


@pytest.mark.slow
def test_a_wrong_passphrase_opens_nothing_and_the_right_one_does(tmp_path):
    folder = tmp_path / "repo"
    checkout(folder)
    shutil.copy(ROOT / "judge.py", folder)
    shutil.copy(ROOT / ".gitignore", folder)
    arena = prepared(folder)
    dataset.build(
        arena,
        dataset.source_from({"kind": "sample", "market": "market", "seed": 1}, arena),
        "open sesame",
        lambda line: None,
        resume=False,
    )
    strategy(arena, "Alpha")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    commit(folder)
    evaluate(folder)
    assert nothing_opened(
        folder, judge(folder, "open", "0.1.0", "--yes", stdin="sesame\n"), "the passphrase does not open"
    )
    assert judge(folder, "open", "0.1.0", "--yes", stdin="open sesame\n").returncode == 0


def clear(folder, prices):
    """
    Files below a folder in which any of these prices stands: as a binary or a decimal number, or in a compressed table.
    """
    needles = [struct.pack("<d", price) for price in prices] + [repr(price).encode() for price in prices]

    def shows(data):
        if data.startswith(b"ARROW1"):
            return pd.read_feather(io.BytesIO(data)).isin(prices).to_numpy().any()
        return any(needle in data for needle in needles)

    return [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink() and shows(file.read_bytes())]


@pytest.mark.slow
def test_ctrl_c_and_a_kill_leave_no_clear_candle_and_the_next_start_judges(repo, tmp_path, monkeypatch):
    """Between opening and judgement; the second start asks for the same sources again, and they are no new openings."""
    arena = context.open_arena(settings.load(repo / "config.json"), record=False)
    held = context.sealed_candles(arena)[-1]["BTC/USDT"][24:, 4]
    known = np.concatenate([table[:, 1:5].ravel() for table in arena.tables.values()])
    prices = [float(price) for price in held[~np.isin(held, known)][:20]]
    assert len(prices) == 20
    assert not clear(repo, prices)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for sent in (signal.SIGINT, signal.SIGKILL):
        process = start(repo, temporary)
        until(lambda: len(noted(repo, "opening")) == 2, process)
        process.send_signal(sent)
        _, stderr = process.communicate(timeout=PATIENCE_S)
        # a shell shows 130 for a process that ended by SIGINT itself too, as one does whose interpreter is ending
        assert process.returncode in (130, -signal.SIGINT, -signal.SIGKILL), stderr
        assert "Traceback" not in stderr
        assert not clear(repo, prices) and not clear(temporary, prices)
        assert not noted(repo, "judgement") and not (repo / "versions").exists()
    done = judge(repo, "open", "0.1.0", "--yes")
    assert done.returncode == 0, done.stderr
    assert len(noted(repo, "opening")) == len(noted(repo, "judgement")) == 2
    assert not clear(repo, prices)


def start(folder, temporary):
    """A shell that runs tests in the background ignores SIGINT, and its children would too."""
    return subprocess.Popen(
        [sys.executable, "-c", "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "
         "import sys; sys.argv = ['judge.py', 'open', '0.1.0', '--yes']; runpy.run_path('judge.py', "
         "run_name='__main__')"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    )  # fmt: skip


@pytest.mark.slow
def test_without_a_holdout_the_run_is_archived_and_nothing_is_confirmed(tmp_path):
    folder = made(
        tmp_path / "repo", arena={"windows": {"spring": "20210301-20210601"}, "validation": None, "holdout": None}
    )
    done = judge(folder, "open", "0.1.0")
    assert done.returncode == 0, done.stderr
    assert "there is none in config.json" in done.stdout
    assert done.stdout.count("verdict:    not enough evidence: there is no holdout") == 2
    assert not noted(folder, "opening")
    assert yaml.safe_load((folder / "versions/0.1.0/meta.yaml").read_text())["counts"]["holdout_openings"] == 0


@pytest.mark.slow
def test_openings_of_other_candles_are_not_counted(judged_repo):
    book = Ledger(judged_repo / store.LEDGER)
    arena = context.open_arena(settings.load(judged_repo / "config.json"), record=False)
    book.append(
        Entry(
            "opening",
            "0" * 64,
            "Other",
            "f" * 64,
            result=json.dumps({"holdout": "other candles", "version": "9.9.9", "days": 1}),
        )
    )
    assert len(holdout.opened(book, arena)) == 2


# the archive


@pytest.mark.slow
def test_a_version_holds_everything_but_candles(opened):
    folder, _ = opened
    version = folder / "versions" / "0.1.0"
    assert {str(file.relative_to(version)) for file in version.rglob("*") if file.is_file()} == {
        "meta.yaml", "results.tsv", "run.log", "ledger.parquet", "frontier.png", "retrospective.md", "SHA256SUMS",
        "strategies/Alpha.py", "strategies/Beta.py",
    }  # fmt: skip
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=version, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
    # git takes all of it
    assert not [
        file
        for file in version.rglob("*")
        if subprocess.run(["git", "check-ignore", "-q", file], cwd=folder).returncode == 0
    ]
    assert (version / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert str(folder) not in "".join(
        file.read_text() for file in version.glob("*.*") if file.suffix in (".yaml", ".md", ".log", ".tsv")
    )
    trials = pd.read_parquet(version / "ledger.parquet").set_index("strategy")
    assert set(trials.index) == {"Alpha", "Beta"} and all(len(returns) == 184 for returns in trials["daily_returns"])
    assert "class Alpha(IStrategy)" in trials["source"]["Alpha"]
    assert "[0.1.0](0.1.0/retrospective.md)" in (folder / "versions" / "README.md").read_text()


@pytest.mark.slow
def test_the_meta_data_are_the_ledgers_and_the_arenas(opened):
    folder, _ = opened
    meta = yaml.safe_load((folder / "versions/0.1.0/meta.yaml").read_text())
    assert meta["contract"]["hash"] == data_lock.read(folder).contract
    assert meta["counts"] | {"validation_looks": 0} == {
        "trials": 2, "evaluations": 2, "failed": 0, "rounds": 1, "events": {"create": 2}, "validation_looks": 0,
        "holdout_openings": 2,
    }  # fmt: skip
    results = [json.loads(one.result) for one in Ledger(folder / store.LEDGER).trials(meta["contract"]["hash"])]
    best = max(results, key=lambda result: result["own"]["sharpe"])
    assert meta["peak"]["sharpe_of_kept"]["value"] == best["own"]["sharpe"]
    assert {one["strategy"]: one["search"]["sharpe"] for one in meta["strategies"]} == {
        result["strategy"]: result["own"]["sharpe"] for result in results
    }


@pytest.mark.slow
def test_a_retrospective_joins_the_sums_when_it_is_written(judged_repo):
    version = judged_repo / "versions" / "0.1.0"
    assert archive_reader.RETROSPECTIVE not in (version / archive_reader.SUMS).read_text()
    done = judge(judged_repo, "close", "0.1.0")
    assert done.returncode == 2 and f"places marked {retrospective.MARK}" in done.stderr
    file = version / archive_reader.RETROSPECTIVE
    file.write_text(file.read_text().replace(retrospective.MARK, "It is written."))
    assert archive_reader.broken(version) == []
    assert judge(judged_repo, "close", "0.1.0").returncode == 0
    assert archive_reader.RETROSPECTIVE in (version / archive_reader.SUMS).read_text()
    file.write_text(file.read_text() + "One more thing.\n")
    assert archive_reader.broken(version) == ["retrospective.md has changed since it was archived"]
    assert "errata.md" in judge(judged_repo, "close", "0.1.0").stderr


@pytest.mark.slow
def test_a_version_that_was_changed_afterwards_is_named_and_errata_are_free(judged_repo):
    version = judged_repo / "versions" / "0.1.0"
    (version / archive_reader.ERRATA).write_text("The third sentence is wrong.\n")
    assert archive_reader.broken(version) == []
    (version / "strategies" / "Alpha.py").write_text("better")
    (version / "results.tsv").unlink()
    (version / "more.txt").write_text("more")
    assert archive_reader.broken(version) == [
        "results.tsv is missing", "strategies/Alpha.py has changed since it was archived",
        "more.txt was added after it was archived",
    ]  # fmt: skip
    with pytest.raises(ArenaError, match="there is no archived version at versions/9.9.9. There are: 0.1.0"):
        archive.close(judged_repo, "9.9.9")


@pytest.mark.slow
def test_versions_are_sorted_by_number(tmp_path):
    for version in ("0.10.0", "0.9.1", "0.9"):
        (tmp_path / "versions" / version).mkdir(parents=True)
        (tmp_path / "versions" / version / archive_reader.SUMS).touch()
    assert archive_reader.versions(tmp_path) == ["0.9", "0.9.1", "0.10.0"]


# verification


@pytest.mark.slow
def test_an_archived_version_is_reproduced_from_its_frozen_sources(judged_repo):
    git(judged_repo, "add", ".")
    commit(judged_repo)
    done = judge(judged_repo, "--verify")
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("versions/0.1.0 ")]
    assert [line.split()[1] for line in told] == ["Alpha:", "Beta:"]
    assert all(int(line.split()[2]) > 250 and line.endswith("figures are the archive's") for line in told)


def forged(version):
    meta = yaml.safe_load((version / archive_reader.META).read_text())
    meta["strategies"][0]["holdout"]["sharpe"] = 3.0
    (version / archive_reader.META).write_text(yaml.safe_dump(meta, sort_keys=False))
    (version / archive_reader.SUMS).write_text(archive._sums(version))  # as a forger would


def relocked(folder):
    """A clone in which the candles were prepared anew under other code, and nothing was ever evaluated."""
    (folder / store.LEDGER).unlink()
    with (folder / "arena" / "accounting" / "booking.py").open("a") as file:
        file.write("# other code\n")
    data_lock.write(folder, data_lock.renew(data_lock.read(folder), settings.load(folder / "config.json")))


@pytest.mark.slow
def test_a_version_is_evaluated_by_the_code_of_now_where_candles_and_config_are_the_same(judged_repo):
    relocked(judged_repo)
    done = judge(judged_repo, "--verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "versions/0.1.0: of contract " in done.stdout and "the archive alone could be verified" in done.stdout
    told = [line for line in done.stdout.splitlines() if line.startswith("versions/0.1.0 ")]
    assert len(told) == 2 and all(
        int(line.split()[2]) > 250 and line.endswith("figures are the archive's") for line in told
    )


@pytest.mark.slow
def test_what_other_code_computes_otherwise_is_a_difference_until_the_errata_speak_of_it(judged_repo):
    relocked(judged_repo)
    forged(judged_repo / "versions/0.1.0")
    assert judge(judged_repo, "--verify").returncode == 1
    (judged_repo / "versions/0.1.0" / archive_reader.ERRATA).write_text("Fees were booked twice.\n")
    done = judge(judged_repo, "--verify")
    assert done.returncode == 0
    assert "versions/0.1.0 Alpha: holdout.sharpe is 3 in the archive, " in done.stdout
    assert "versions/0.1.0: what differs is the code's doing; errata.md is there to say why" in done.stdout


@pytest.mark.nightly
def test_errata_excuse_nothing_under_the_same_code(judged_repo):
    forged(judged_repo / "versions/0.1.0")
    (judged_repo / "versions/0.1.0" / archive_reader.ERRATA).write_text("I like 3 better.\n")
    assert judge(judged_repo, "--verify").returncode == 1


@pytest.mark.nightly
def test_what_an_archived_version_tells_of_a_holdout_counts_as_its_openings(judged_repo):
    relocked(judged_repo)
    strategy(settings.load(judged_repo / "config.json"), "Gamma", extra="pair_basket = ['BTC/USDT']")
    commit(judged_repo)
    evaluate(judged_repo)
    done = judge(judged_repo, "open", "0.2.0", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    meta = yaml.safe_load((judged_repo / "versions/0.2.0" / archive_reader.META).read_text())
    assert meta["counts"]["holdout_openings"] == 3
    assert len(noted(judged_repo, "opening")) == 3  # the ledger of this folder knows all that was opened in it
    arena = context.open_arena(settings.load(judged_repo / "config.json"), record=False)
    assert len(holdout.opened(Ledger(judged_repo / "new.db"), arena)) == 3  # where that is lost, the archive does


@pytest.mark.nightly
def test_a_figure_of_the_archive_that_is_not_earned_is_named(judged_repo):
    forged(judged_repo / "versions" / "0.1.0")
    done = judge(judged_repo, "--verify")
    assert done.returncode == 1
    assert "versions/0.1.0 Alpha: holdout.sharpe is 3 in the archive, " in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "version", [folder.parent for folder in Path(ROOT, "versions").glob("*/SHA256SUMS")], ids=lambda folder: folder.name
)
def test_no_file_of_an_archived_version_of_this_repository_has_changed(version):
    assert archive_reader.broken(version) == []
