"""Where a worker's process begins. It loads the untrusted code, which the trusted process never imports."""

from multiprocessing.connection import Connection


def begin(pipe: Connection, job: dict, limits: dict) -> None:
    """Runs in a process that the fork server forked; see `arena.sandbox.worker.main`."""
    from arena.sandbox.worker import main

    main.main(pipe, job, limits)
