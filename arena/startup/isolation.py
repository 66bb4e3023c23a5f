"""
The start of a trusted process. Standard library only: it runs before anything else is imported.

A command restarts itself once: without variables that lead Python, its libraries or the dynamic linker to other code,
without `site` (no `.pth` file, no sitecustomize), and without the script's folder on sys.path. From then on
`arena.startup.imports` finds every module. Compiled code of packages and of the standard library is kept in the user's
own folder and never read from `__pycache__`. The workers' fork server starts in the same way, and workers import by the
same rules.

Not covered: the interpreter, its standard library and the system's libraries; code that runs before a command's first
line and prevents the restart (an exchanged interpreter in `.venv/bin`, a sitecustomize that replaces `os.execve`);
anyone who can write into the user's own folder. `gaps` names what does not hold in this process.
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = "arena/startup"
DROPPED = ("PYTHON", "LD_", "DYLD_", "__PYVENV_LAUNCHER__", "NUMBA_", "OPENSSL_", "GCONV_PATH")
"""Prefixes of variables that lead Python, numba, the dynamic linker, OpenSSL or the C library to other code."""

loaded: dict[str, str] = {}
"""sha256 of the repository's own code that this process and its fork server run, by path below the repository."""
_state: dict = {"finder": None, "clean": False, "elsewhere": []}


def begin(script: str) -> None:
    """
    A command calls this before it imports anything. Restarts the command in isolation or, after that restart, installs
    our import rules.

    Does nothing where the script is not the program that was started.
    """
    if os.path.basename(script) not in map(os.path.basename, sys.orig_argv):
        return
    kept = environment(os.environ)
    given = sys._xoptions.get("touchstone")
    if given is None:
        interpreter = os.path.realpath(sys.executable)
        options = [
            "-I",
            "-S",
            *_options(),
            "-X",
            f"touchstone={_prefix()}",
            "-X",
            f"touchstone_python={sys.executable}",
        ]
        try:
            sys.stdout.flush()
            os.execve(interpreter, [interpreter, *options, script, *sys.argv[1:]], kept)
        except OSError:
            return  # the block reports that the start was not isolated
    _state["clean"] = bool(sys.flags.isolated and sys.flags.no_site and kept == dict(os.environ))
    install(given, sys._xoptions["touchstone_python"])
    name = os.path.basename(script)
    loaded[name] = _sha256(read_below(ROOT, name))


def install(prefix: str, python: str) -> None:
    """
    Import by our own rules from here on. `prefix` and `python` are those of the environment that holds the packages.
    """
    import atexit
    import site

    standard = [os.path.abspath(entry) for entry in sys.path if entry]
    packages = [folder for folder in site.getsitepackages([prefix]) if os.path.isdir(folder)]
    if _shares_packages(prefix):
        packages += [
            folder
            for folder in site.getsitepackages([sys.base_prefix])
            if os.path.isdir(folder) and folder not in packages
        ]
    sys.prefix = sys.exec_prefix = prefix
    sys.executable = python
    sys.path[:] = [*standard, *packages, ROOT]
    for name in ("setquit", "setcopyright", "sethelper"):  # builtins that `site` normally adds
        getattr(site, name)()
    sys.dont_write_bytecode = private("bytecode") is None
    folder = private("verified")
    noted = folder and f"{folder}/{_sha256(os.pathsep.join((sys.version, *packages)).encode())[:16]}.json"
    imports = _module("imports")
    finder = _state["finder"] = imports.Finder(ROOT, standard, packages, read=read_below, loaded=loaded, noted=noted)
    for name in ("imports", "isolation"):
        loaded[f"{HERE}/{name}.py"] = _sha256(read_below(ROOT, f"{HERE}/{name}.py"))
    finder.install()
    atexit.register(finder.installed.keep_marks)


def problems() -> list[str]:
    """One sentence for each file of this process or its fork server that differs from what was installed."""
    finder = _state["finder"]
    if finder is None:
        return list(_state["elsewhere"])
    finder.installed.check_libraries(ROOT)
    return [*finder.problems, *_state["elsewhere"]]


def isolated() -> bool:
    """Whether this process was started by `begin`."""
    return _state["clean"]


def gaps() -> tuple[str, ...]:
    """The parts of the isolation that do not hold here."""
    names = [] if _state["clean"] else ["start not isolated"]
    if _below(os.path.realpath(sys.base_prefix), os.path.realpath(ROOT)):
        names.append("interpreter in the repository")
    if sys.platform != "linux":
        names.append("libraries unchecked")
    return tuple(names)


def environment(variables: "os._Environ[str] | dict[str, str]") -> dict[str, str]:
    """The variables without DROPPED. Folders of LD_LIBRARY_PATH stay if this user cannot write to them."""
    kept = {name: value for name, value in variables.items() if not name.startswith(DROPPED)}
    folders = [
        folder
        for folder in variables.get("LD_LIBRARY_PATH", "").split(":")
        if os.path.isabs(folder) and not os.access(folder, os.W_OK)
    ]
    return kept | ({"LD_LIBRARY_PATH": ":".join(folders)} if folders else {})


def private(name: str) -> str | None:
    """
    A folder outside the repository that only this user can enter, created if missing; None where that is impossible.

    It lies in the home folder from the user database, which no variable can change.
    """
    import pwd
    import stat

    try:
        path = os.path.realpath(os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, ".cache"))
        for part in ("touchstone", name):
            path = os.path.join(path, part)
            os.makedirs(path, mode=0o700, exist_ok=True)
            status = os.lstat(path)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                return None
            if status.st_mode & 0o077:
                os.chmod(path, 0o700)
    except (OSError, KeyError):
        return None
    return None if _below(path, os.path.realpath(ROOT)) else path


def read_below(root: str | os.PathLike[str], name: str) -> bytes:
    """
    The bytes of the file `name` below the folder `root`, all from one open file.

    Raises OSError for a file that is not regular, and where the file or a folder between the two is a link.
    """
    import stat

    *folders, last = name.split("/")
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
            os.close(handle)
            handle = inner
        with open(
            os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle), "rb"
        ) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(f"{name} is no regular file")
            return file.read()
    finally:
        os.close(handle)


def program(call: str) -> list[str]:
    """
    The command line of a Python process that imports by our rules and then runs `call`, where `isolation` is this
    module.
    """
    file = os.path.join(ROOT, HERE, "isolation.py")
    prefix, python = _prefix(), sys.executable
    code = (
        f"import sys; isolation = sys.modules['arena.startup.isolation'] = type(sys)('arena.startup.isolation'); "
        f"isolation.__file__ = {file!r}; "
        f"exec(compile(open({file!r}, 'rb').read(), {file!r}, 'exec'), isolation.__dict__); "
        f"isolation.install({prefix!r}, {python!r}); {call}"
    )
    return [os.path.realpath(sys.executable), "-s", "-P", "-S", *_options(), "-c", code]


def preload(modules: tuple[str, ...], descriptor: int) -> None:
    """Import modules and report through a pipe what was loaded and what was wrong with it."""
    import contextlib
    import importlib
    import json

    for name in modules:
        try:
            importlib.import_module(name)
        # reported to the parent process; a worker cannot get a module that was not preloaded
        except Exception as error:
            _state["elsewhere"].append(f"{name} cannot be imported: {type(error).__name__}: {error}")
    report = {"loaded": loaded, "problems": problems()}
    _state["finder"].installed.keep_marks()
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "w") as pipe:  # the parent may have ended
        json.dump(report, pipe)


def heard(told: dict) -> None:
    """Take over a fork server's report: the code that it runs counts as this process's own."""
    _state["elsewhere"] += [line for line in told["problems"] if line not in _state["elsewhere"]]
    for name, digest in told["loaded"].items():
        if loaded.setdefault(name, digest) != digest:
            _state["elsewhere"].append(f"{name} changed while it was loaded")


def variables() -> dict[str, str]:
    """
    Variables for Python processes that a library starts: sys.path lacks the script's folder, and no compiled code lies
    beside its source.
    """
    return {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1"} | (
        {"PYTHONPYCACHEPREFIX": sys.pycache_prefix} if sys.pycache_prefix else {}
    )


def readable() -> list[str]:
    """The folder of compiled code, which workers may read."""
    folder = private("bytecode")
    return [folder] if folder else []


def _prefix() -> str:
    """Prefix of the environment of this interpreter; without `site`, Python 3.13 and older do not know it."""
    environment_folder = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    return environment_folder if os.path.exists(os.path.join(environment_folder, "pyvenv.cfg")) else sys.prefix


def _shares_packages(prefix: str) -> bool:
    """Whether an environment also uses the interpreter's own packages."""
    try:
        with open(os.path.join(prefix, "pyvenv.cfg"), encoding="utf-8") as file:
            return "include-system-site-packages = true" in file.read().lower()
    except OSError:
        return False


def _options() -> list[str]:
    """Options that make Python read compiled code from the user's own folder or, without one, not at all."""
    folder = private("bytecode")
    version = ".".join(map(str, sys.version_info[:3]))
    return [
        "-X",
        f"pycache_prefix={folder}/{sys.implementation.cache_tag}-{version}"
        if folder
        else f"pycache_prefix={os.devnull}/none",
    ]


def _module(name: str):  # type: ignore[no-untyped-def]  # its type has no name without an import
    """Load a module of the arena from source, before a finder exists."""
    file = os.path.join(ROOT, HERE, f"{name}.py")
    module = sys.modules[f"arena.startup.{name}"] = type(sys)(f"arena.startup.{name}")
    module.__file__ = file
    exec(compile(read_below(ROOT, f"{HERE}/{name}.py"), file, "exec"), module.__dict__)
    return module


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
