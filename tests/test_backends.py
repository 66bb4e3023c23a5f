"""Processes and machines give what one thread gives, bit for bit; one that dies in the middle takes nothing along."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest
from arenas import prepared, strategy
from waiting import PATIENCE_S, POLL_S, until

from arena import settings
from arena.errors import ArenaError
from arena.evaluation import backends, batch, context
from arena.ledger import data_lock, strategy_files
from arena.sandbox import client
from arena.settings import Compute

WINDOWS = {
    "windows": {"spring": "20210301-20210401"},
    "warmup_from": "20210201",
    "validation": "20210401-20210501",
    "holdout": None,
}
CALLBACK = (
    "def custom_exit(self, pair, trade, current_time, **kwargs):\n    return 'late' if (current_time - "
    "trade.open_date_utc).days > 2 else None"
)


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    """Four strategies: signals, callbacks, one that fails, one that does not import."""
    settings = prepared(tmp_path_factory.mktemp("arena"), arena=WINDOWS)
    strategy(settings, "Plain")
    strategy(settings, "Stops", extra="stoploss = -0.02", callbacks=CALLBACK)
    strategy(settings, "Fails", indicators="raise ValueError('no')")
    strategy(settings, "Broken", extra="stoploss = oops")
    return settings


def files(settings):
    return sorted((settings.root / strategy_files.FOLDER).glob("*.py"))


def evaluated(settings, asked=None, **where):
    """Results as JSON, without what the clock says."""
    client.warm_up()
    changed = settings.model_copy(update={"compute": Compute(**where)})
    opened = context.open_arena(changed, record=False, causality="quick")
    results = list(batch.evaluate_all(asked or files(settings), opened))
    return [json.dumps(dataclasses.asdict(dataclasses.replace(result, seconds=0.0))) for result in results]


@pytest.fixture(scope="module")
def expected(arena):
    return evaluated(arena, backend="threads")


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def cluster(folder, n=2):
    """A scheduler and n worker processes on loopback."""
    address = f"tcp://127.0.0.1:{port()}"
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    root = str(backends.__file__).rsplit("/arena/", 1)[0]
    environment = os.environ | {"PYTHONPATH": root}
    scheduler = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        address,
        "--no-dashboard",
        "--no-show",
    ]
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
    ]
    running = [subprocess.Popen(scheduler, env=environment, **quiet)]
    running += [subprocess.Popen(worker, env=environment, **quiet) for _ in range(n)]
    try:
        from distributed import Client

        with Client(address, timeout=PATIENCE_S, set_as_default=False) as cluster:
            if n:
                cluster.wait_for_workers(n, timeout=PATIENCE_S)
        yield address, running[1:]
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait()


@pytest.mark.slow
def test_processes_of_this_machine_give_the_same(arena, expected, monkeypatch):
    monkeypatch.setattr(batch, "MANY", 2)
    assert evaluated(arena, backend="loky", jobs=2) == expected


@pytest.mark.slow
def test_a_few_strategies_need_no_processes(arena, expected):
    assert evaluated(arena, backend="loky") == expected


@pytest.mark.slow
def test_two_workers_of_dask_give_the_same(arena, expected, tmp_path):
    with cluster(tmp_path) as (address, _):
        assert evaluated(arena, backend="dask", address=address) == expected


@pytest.mark.nightly
def test_a_worker_that_is_killed_in_the_middle_loses_nothing(arena, expected, tmp_path):
    with cluster(tmp_path) as (address, workers):
        killer = threading.Thread(target=kill_at_work, args=(workers[0],))
        killer.start()
        assert evaluated(arena, files(arena) * 3, backend="dask", address=address) == expected * 3
        killer.join()
        assert workers[0].wait(PATIENCE_S) == -signal.SIGKILL
        assert workers[1].poll() is None


def kill_at_work(worker):
    """Once it has started a fork server, it is busy with a strategy."""
    until(lambda: len(psutil.Process(worker.pid).children(recursive=True)) > 2)
    worker.send_signal(signal.SIGKILL)


@pytest.mark.nightly
def test_a_process_of_joblib_that_is_killed_loses_nothing(arena, expected, monkeypatch):
    monkeypatch.setattr(batch, "MANY", 2)
    killed = []

    def kill():
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            time.sleep(POLL_S)
            children = psutil.Process().children(recursive=True)
            mine = [child.pid for child in children if any("popen_loky_posix" in word for word in child.cmdline())]
            if mine:
                until(lambda: psutil.Process(mine[0]).children())  # its fork server: it is at work
                os.kill(mine[0], signal.SIGKILL)
                killed.append(mine[0])

    killer = threading.Thread(target=kill)
    killer.start()
    assert evaluated(arena, files(arena) * 2, backend="loky", jobs=2) == expected * 2
    killer.join()
    assert killed


@pytest.mark.slow
def test_a_worktree_is_evaluated_by_machines_that_have_the_checkout_alone(arena, expected, tmp_path, monkeypatch):
    """A worktree shares the checkout's lock, candles and ledger by links; other machines do not have it."""
    monkeypatch.setattr(batch, "MANY", 2)
    place = arena.root / "user_data" / "worktrees" / "w"
    (place / "user_data").mkdir(parents=True)
    for name in ("arena", "judge", "prepare.py", "run.py", "config.json", "user_data/strategies"):
        if (arena.root / name).exists():
            (shutil.copytree if (arena.root / name).is_dir() else shutil.copy)(arena.root / name, place / name)
    for name in (data_lock.FILE, data_lock.DATA):
        (place / name).symlink_to(os.path.relpath(arena.root / name, (place / name).parent))  # as drive.py makes them
    there = settings.load(place / "config.json")
    asked = files(there)[:2]
    opened = context.open_arena(
        there.model_copy(update={"compute": Compute(backend="loky", jobs=2)}), record=False, causality="quick"
    )
    shutil.move(place / "config.json", tmp_path / "gone.json")
    results = list(batch.evaluate_all(asked, opened))
    assert [result.error for result in results] == [json.loads(text)["error"] for text in expected[:2]]
    assert [result.own.sharpe for result in results if not result.error] == [
        json.loads(text)["own"]["sharpe"] for text in expected[:2] if not json.loads(text)["error"]
    ]


@pytest.mark.slow
def test_without_a_scheduler_it_says_so(arena, monkeypatch):
    monkeypatch.setattr(backends, "SECONDS", 2)
    with pytest.raises(ArenaError, match="dask's scheduler at tcp://127.0.0.1:1 cannot be reached"):
        evaluated(arena, backend="dask", address="tcp://127.0.0.1:1")


@pytest.mark.slow
def test_without_workers_it_says_so(arena, tmp_path):
    with cluster(tmp_path, n=0) as (address, _), pytest.raises(ArenaError, match="has no workers"):
        evaluated(arena, backend="dask", address=address)


@pytest.mark.slow
def test_a_machine_with_another_contract_is_refused(arena):
    opened = context.open_arena(arena, record=False, causality="quick")
    told = strategy_files.examine(files(arena)[0], arena, strategy_files.read(files(arena)[0]))
    with pytest.raises(ArenaError, match="has the contract .* the run has 00000000"):
        backends._earn(str(arena.path), "0" * 64, "quick", 0, told)
    assert opened.lock.contract[:8] != "00000000"
