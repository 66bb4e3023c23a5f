"""What a command and its fork server import: planted and edited code never counts."""

import base64
import compileall
import hashlib
import importlib.util
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from arenas import ROOT, checkout, configured

from arena.startup import imports, isolation

MARK = (
    "import os\nwith open({mark!r}, 'a') as file:\n    file.write({name!r} + ' ' + "
    "str(__import__('sys').flags.no_site) + '\\n')\n"
)


def planted(file: Path, mark: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(MARK.format(mark=str(mark), name=file.name))
    return file


def poison(source: Path, code: Path, mark: Path, compiled: Path) -> None:
    """Compiled code that is never compared with its source."""
    compiled.parent.mkdir(parents=True, exist_ok=True)
    planted(code, mark)
    py_compile.compile(
        str(code), str(compiled), dfile=str(source), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )


def test_a_command_runs_nothing_that_was_planted(tmp_path):
    """
    Plants in the repository's root, beside and before a module, in __pycache__, and wherever a variable leads; all in
    one start.
    """
    repo, mark, away = checkout(tmp_path / "repo"), tmp_path / "mark", tmp_path / "away"
    configured(repo)
    for name in ("json.py", "argparse.py", "pathlib.py", "numpy.py", "rapidjson.py", "pydantic/__init__.py"):
        planted(repo / name, mark)
        planted(away / name, mark)
    planted(away / "sitecustomize.py", mark)
    planted(away / "arena" / "__init__.py", mark)
    names = ("ledger/data_lock", "settings", "startup/isolation", "startup/imports")
    for name in names:
        source = repo / "arena" / f"{name}.py"
        poison(source, away / "evil.py", mark, Path(importlib.util.cache_from_source(str(source))))
        poison(source, away / "evil.py", mark, repo / "arena" / f"{name}.pyc")
        poison(
            source,
            away / "evil.py",
            mark,
            Path(f"{away}/prefix{source.parent}/{source.stem}.{sys.implementation.cache_tag}.pyc"),
        )
        planted(repo / "arena" / name / "helper.py", mark)
    (repo / "arena" / "ledger" / "data_lock.so").write_bytes(b"no library")
    variables = {
        "PYTHONPATH": str(away),
        "PYTHONPYCACHEPREFIX": f"{away}/prefix",
        "PYTHONSTARTUP": str(away / "evil.py"),
        "PYTHONINSPECT": "",
        "LD_PRELOAD": "",
    }
    for folder in (repo / "arena" / name for name in names):
        shutil.rmtree(folder)  # source beside a module: the lock names it, so it is not there when the arena is locked
    done = subprocess.run(
        [sys.executable, "prepare.py", "--sample"], cwd=repo, env=os.environ | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = mark.read_text().splitlines()
    assert "sitecustomize.py 0" in lines, "the plants do run where they are imported"
    assert [line for line in lines if line.endswith(" 1")] == []


def test_a_process_of_ours_imports_neither_from_its_folder_nor_by_a_variable(tmp_path):
    mark = tmp_path / "mark"
    for name in ("colorsys.py", "six.py", "sitecustomize.py"):
        planted(tmp_path / name, mark)
    call = (
        "import arena.sandbox.confinement.walls, colorsys, six; print(arena.sandbox.confinement.walls.__file__, "
        "colorsys.__file__, six.__file__, sep='\\n'); print(isolation.problems())"
    )
    done = subprocess.run(
        isolation.program(call), cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    walls, colors, six, problems = done.stdout.splitlines()
    assert (walls, problems) == (str(ROOT / "arena/sandbox/confinement/walls.py"), "[]")
    assert not {str(Path(file).parent) for file in (colors, six)} & {str(tmp_path)}
    assert not mark.exists()


@pytest.fixture
def packages(tmp_path):
    """A folder of installed packages with one of them in it."""
    folder = tmp_path / "site-packages"
    (folder / "wares" / "inner").mkdir(parents=True)
    (folder / "wares-1.0.dist-info").mkdir()
    files = {
        "wares/__init__.py": b"value = 1\n",
        "wares/part.py": b"value = 2\n",
        "wares/inner/leaf.py": b"value = 3\n",
    }
    lines = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        lines.append(
            f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}"
        )
        os.utime(folder / name, (1e9, 1e9))
    (folder / "wares-1.0.dist-info" / "RECORD").write_text("\n".join([*lines, "wares-1.0.dist-info/RECORD,,"]))
    return folder


def finder(packages, noted=None):
    return imports.Finder(
        str(packages.parent), [], [str(packages)], read=isolation.read_below, loaded={}, noted=noted and str(noted)
    )


def value(found, name, path=None):
    spec = found.find_spec(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.value


def test_what_a_record_names_is_imported(packages):
    found = finder(packages)
    inside = [str(packages / "wares")]
    assert (value(found, "wares"), value(found, "wares.part", inside)) == (1, 2)
    inner = found.find_spec("wares.inner", inside)
    assert value(found, "wares.inner.leaf", list(inner.submodule_search_locations)) == 3
    assert found.problems == []


def test_what_was_put_beside_a_package_is_not_there(packages):
    """In the order in which Python itself would prefer it to the package's own file."""
    (packages / "wares" / "part").mkdir()
    (packages / "wares" / "part" / "__init__.py").write_text("value = 9\n")
    (packages / "wares" / f"part{imports.EXTENSION_SUFFIXES[0]}").write_bytes(b"no library")
    (packages / "other.py").write_text("value = 9\n")
    poison(
        packages / "wares" / "part.py",
        packages / "evil.py",
        packages / "mark",
        Path(importlib.util.cache_from_source(str(packages / "wares" / "part.py"))),
    )
    found = finder(packages)
    assert value(found, "wares.part", [str(packages / "wares")]) == 2
    assert found.find_spec("other") is None
    assert not (packages / "mark").exists()


def test_an_edited_package_is_refused_and_named(packages):
    file = packages / "wares" / "part.py"
    file.write_text("value = 9\n")
    os.utime(file, (1e9, 1e9))
    found = finder(packages)
    with pytest.raises(ImportError, match="is not what was installed"):
        found.find_spec("wares.part", [str(packages / "wares")])
    assert found.problems == [f"{file} is not what was installed"]


def test_a_file_that_changes_between_check_and_compilation_is_refused(packages):
    found = finder(packages)
    spec = found.find_spec("wares.part", [str(packages / "wares")])
    (packages / "wares" / "part.py").write_text("value = 9\n")
    with pytest.raises(ImportError, match="is not what was installed"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_a_file_that_was_hashed_before_is_known_until_it_changes(packages, tmp_path):
    """By its times and inode: an edit that restores size and date is seen."""
    file, noted = packages / "wares" / "part.py", tmp_path / "noted.json"
    first = finder(packages, noted)
    # as if it had not changed just now
    first.installed._marks[str(file)] = [*imports._mark(str(file)), first.installed.digest(str(file))]
    first.installed._changed = True
    first.installed.keep_marks()
    again = finder(packages, noted).installed
    assert again._marks[str(file)] == [*imports._mark(str(file)), again.digest(str(file))]
    file.write_text("value = 9\n")
    os.utime(file, (1e9, 1e9))
    assert not again.verified(str(file))


def test_compiled_code_of_a_package_has_its_hash_in_its_name(packages, tmp_path, monkeypatch):
    """Another version of a file with the same size and date never meets the code of the one before."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "bytecode"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    found = finder(packages)
    assert value(found, "wares.part", [str(packages / "wares")]) == 2
    (kept,) = (tmp_path / "bytecode").rglob("part.*")
    assert kept.name.endswith(found.installed.digest(str(packages / "wares" / "part.py")))


def test_our_own_code_is_compiled_from_the_bytes_that_are_hashed(packages):
    folder = packages.parent / "arena"
    folder.mkdir()
    (folder / "__init__.py").write_text("value = 1\n")
    (folder / "part.py").write_text("value = 2\n")
    compileall.compile_dir(folder, quiet=1)
    loaded = {}
    found = imports.Finder(str(packages.parent), [], [], read=isolation.read_below, loaded=loaded, noted=None)
    spec = found.find_spec("arena.part", [str(folder)])
    assert loaded == {"arena/part.py": hashlib.sha256(b"value = 2\n").hexdigest()}
    (folder / "part.py").write_text("value = 9\n")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.value == 2
    (folder / "part.py").unlink()
    (folder / "part.py").symlink_to(folder / "__init__.py")
    with pytest.raises(ImportError, match="cannot be read"):
        found.find_spec("arena.part", [str(folder)])


def test_variables_that_lead_to_other_code_are_dropped_and_others_stay(tmp_path):
    lead = {
        "PYTHONHOME": "/x",
        "LD_PRELOAD": "x.so",
        "LD_LIBRARY_PATH": f"{tmp_path}:lib:/usr/lib",
        "DYLD_INSERT_LIBRARIES": "x",
        "NUMBA_CACHE_DIR": "x",
        "OPENSSL_CONF": "x",
    }
    kept = {"PATH": "/usr/bin", "HOME": "/root", "OPENAI_API_KEY": "k", "VIRTUAL_ENV": "/v"}
    made = isolation.environment(lead | kept)
    assert {name: made[name] for name in kept} == kept
    assert set(made) <= {*kept, "LD_LIBRARY_PATH"}
    assert not {str(tmp_path), "lib"} & set(made.get("LD_LIBRARY_PATH", "").split(":"))


@pytest.mark.parametrize("link", ["file", "folder"])
def test_no_link_below_the_repository_is_followed(tmp_path, link):
    (tmp_path / "true").mkdir()
    (tmp_path / "true" / "file").write_bytes(b"x")
    (tmp_path / "root").mkdir()
    if link == "folder":
        (tmp_path / "root" / "folder").symlink_to(tmp_path / "true")
    else:
        (tmp_path / "root" / "folder").mkdir()
        (tmp_path / "root" / "folder" / "file").symlink_to(tmp_path / "true" / "file")
    with pytest.raises(OSError):
        isolation.read_below(tmp_path / "root", "folder/file")
    assert isolation.read_below(tmp_path / "true", "file") == b"x"


def test_a_private_folder_is_this_users_alone():
    folder = Path(isolation.private("tests"))
    os.chmod(folder, 0o777)
    assert Path(isolation.private("tests")).stat().st_mode & 0o777 == 0o700
    assert not folder.is_relative_to(ROOT)
    folder.rmdir()
