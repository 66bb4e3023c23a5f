"""
The command line and environment with which we call git, so that its answer about a folder is true of that folder.

No variable leads git to another repository, index or configuration; no replaced object, graft or commit-graph shows
another history; no hook or file-system monitor runs. We look for git itself only in absolute folders outside the
repository.

Not covered: objects of a repository whose bytes are not what their names say; a clone without hard links finds them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
OPTIONS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.commitGraph=false",
    "core.useReplaceRefs=false",
)
KEPT = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CEILING_DIRECTORIES")
"""Variables of git that do not lead it elsewhere."""
FIXED = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
}


def command(*arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    """A git command line with OPTIONS and further options of the same kind."""
    return ["git", *(word for option in (*OPTIONS, *options) for word in ("-c", option)), *arguments]


def environment(root: Path, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The caller's variables without those that lead git elsewhere, for a call about the folder `root`."""
    kept = {name: value for name, value in variables.items() if not name.startswith("GIT_") or name.startswith(KEPT)}
    folders = [Path(folder) for folder in variables.get("PATH", os.defpath).split(os.pathsep)]
    inside = (root.resolve(), REPOSITORY)
    outside = [
        str(folder)
        for folder in folders
        if folder.is_absolute() and not any(folder.resolve().is_relative_to(root_folder) for root_folder in inside)
    ]
    return kept | FIXED | {"PATH": os.pathsep.join(outside)}
