"""
Runs a program that ends when the process that started this one ends, so that a killed driver leaves no agent behind
that goes on editing.

Standard input of this process is the tether: when it closes, the program's whole process group is killed. The program
reads its own input from the first file.

    python child_guard.py FILE PROGRAM [ARGUMENT …]
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    with open(sys.argv[1], "rb") as input_file:
        process = subprocess.Popen(sys.argv[2:], stdin=input_file, start_new_session=True)
    threading.Thread(target=_watch, args=(process.pid,), daemon=True).start()
    code = process.wait()
    _kill(process.pid)  # what the program left behind in its group
    return code if code >= 0 else 128 - code


def _watch(group: int) -> None:
    while os.read(0, 4096):
        pass
    _kill(group)


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    sys.exit(main())
