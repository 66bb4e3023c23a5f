import hashlib
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from builders import arena

from arena.errors import ArenaError, LoadError
from arena.ledger import strategy_files
from arena.ledger.strategy_files import by_path, examine, find, label, read, touched

GOOD = "from freqtrade.strategy import IStrategy\n\n\nclass Trend(IStrategy):\n    timeframe = '1h'\n"


def commits(root, paths):
    """The label of each file as it is now."""
    return {
        path: strategy_files.label(root, strategy_files.head(root), path, strategy_files.content(path))
        for path in paths
    }


def write(folder, name, text=""):
    file = folder / name
    file.write_text(text)
    return file


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_no_strategies_is_said_with_what_to_do(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArenaError, match=r"no strategies in .*Copy _template\.py\.example to YourName\.py"):
        find(tmp_path / folder, 3)


def test_files_are_found_in_alphabetical_order_without_underscores_and_others(tmp_path):
    for name in ("Zeta.py", "Alpha.py", "_helper.py", "__init__.py", "_template.py.example", "notes.txt", "Old.py.bak"):
        write(tmp_path, name)
    assert [file.name for file in find(tmp_path, 2)] == ["Alpha.py", "Zeta.py"]


def test_a_path_names_a_file_anywhere_and_a_name_or_a_path_into_the_folder_one_of_the_folder(tmp_path, monkeypatch):
    folder = tmp_path / "user_data" / "strategies"
    folder.mkdir(parents=True)
    for place in (folder, tmp_path / "drafts", tmp_path):
        place.mkdir(exist_ok=True)
        write(place, "A.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "drafts"))
    for text in ("A", "A.py", "user_data/strategies/A.py", f"{folder}/A.py", "drafts/../user_data/strategies/Gone.py"):
        assert by_path(text, folder) is None
    for text in ("drafts/A.py", "./drafts/../drafts/A.py", str(tmp_path / "drafts" / "A.py"), "~/A.py"):
        assert by_path(text, folder) == tmp_path / "drafts" / "A.py"
    assert by_path("./A.py", folder) == tmp_path / "A.py"


@pytest.mark.parametrize(
    ("text", "words"), [("./B.py", "no file B.py"), ("../", "is a folder"), ("./a.txt", "no Python file")]
)
def test_a_path_to_something_else_is_refused(tmp_path, monkeypatch, text, words):
    write(tmp_path, "a.txt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArenaError, match=words):
        by_path(text, tmp_path / "strategies")


def test_too_many_are_refused_by_name(tmp_path):
    for name in "ABCDE":
        write(tmp_path, f"{name}.py")
    with pytest.raises(
        ArenaError, match=r"5 strategies in .* \(A, B, C, D, E\), the cap arena\.max_strategies is 3\. Remove 2\."
    ):
        find(tmp_path, 3)
    assert len(find(tmp_path, 5)) == len(find(tmp_path, None)) == 5


def test_only_underscored_files_are_no_strategies(tmp_path):
    write(tmp_path, "_Draft.py", GOOD)
    with pytest.raises(ArenaError, match="no strategies"):
        find(tmp_path, 3)


def test_what_is_no_file_is_found_so_that_it_is_refused_by_name(tmp_path):
    (tmp_path / "Folder.py").mkdir()
    (tmp_path / "Gone.py").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "Pipe.py")
    write(tmp_path, "Two\nlines.py")
    assert [file.name for file in find(tmp_path, 4)] == ["Folder.py", "Gone.py", "Pipe.py", "Two\nlines.py"]
    with pytest.raises(ArenaError, match=r"\(Folder, Gone, Pipe, 'Two\\nlines'\)"):
        find(tmp_path, 3)


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "arena").mkdir()
    return arena(tmp_path / "arena", {"exchange.pair_whitelist": ["BTC/USDT", "ETH/USDT", "SOL/USDT"]})


def examined(folder, settings, text, name="Trend.py"):
    return examine(write(folder, name, text), settings)


def refused(folder, settings, text, name="Trend.py"):
    with pytest.raises(LoadError) as refusal:
        examined(folder, settings, text, name)
    return str(refusal.value)


def test_a_good_file_is_read_and_never_imported(tmp_path, settings):
    trap = GOOD + f"open({str(tmp_path / 'imported')!r}, 'w')\n"
    found = examined(tmp_path, settings, trap)
    assert (found.name, found.path, found.source) == ("Trend", tmp_path / "Trend.py", trap)
    assert found.sha256 == hashlib.sha256(trap.encode()).hexdigest()
    assert found.pairs == ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    "text",
    [
        "import freqtrade.strategy as ft\nclass Trend(ft.IStrategy): pass",
        "class Trend(Mixin, IStrategy): pass",
        GOOD + "class Helper: pass\n",
        "class IStrategyHelper: pass\n" + GOOD,
        "# größe → 東京\n" + GOOD,
    ],
    ids=["through a module", "beside a mixin", "with a helper class", "with a name alike", "with other letters"],
)
def test_honest_ways_to_write_a_strategy_are_found(tmp_path, settings, text):
    assert examined(tmp_path, settings, text).name == "Trend"


def test_a_syntax_error_has_its_line_and_frame(tmp_path, settings):
    with pytest.raises(LoadError) as refusal:
        examined(tmp_path, settings, GOOD + "    x = (1,\n    def y(self):\n        pass\n")
    assert str(refusal.value) == "SyntaxError: '(' was never closed, line 6"
    assert refusal.value.frames == ("Trend.py:6: x = (1,",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no strategy in Trend.py. It needs `class Trend(IStrategy):`"),
        ("class Trend: pass", "no strategy in Trend.py. It needs `class Trend(IStrategy):`"),
        ("class Trend(object): pass", "no strategy in Trend.py. It needs `class Trend(IStrategy):`"),
        ("class Other(IStrategy): pass", "the class is Other, the file is Trend.py. Name them alike"),
        (GOOD + "class Second(IStrategy): pass", "holds 2 strategies (Trend, Second). One strategy a file"),
        (
            "class Base(IStrategy): pass\nclass Trend(Base): pass",
            "holds 2 strategies (Base, Trend). One strategy a file",
        ),
        (
            "class A(IStrategy): pass\nclass B(A): pass\nclass C(B): pass",
            "holds 3 strategies (A, B, C). One strategy a file",
        ),
        ("x = 'a\0b'", "Trend.py is not Python: source code string cannot contain null bytes"),
    ],
    ids=["empty", "no base", "another base", "another name", "two", "a subclass", "a chain", "a null byte"],
)
def test_a_file_without_its_one_strategy_is_refused(tmp_path, settings, text, message):
    assert refused(tmp_path, settings, text) == message


@pytest.mark.parametrize(
    "text", ["x = " + "(" * 500 + ")" * 500, "x = " + "-" * 100_000 + "1"], ids=["parentheses", "signs"]
)
def test_code_that_nests_too_deep_is_refused(tmp_path, settings, text):
    assert refused(tmp_path, settings, text)


def test_what_is_not_utf_8_is_refused(tmp_path, settings):
    (tmp_path / "Trend.py").write_bytes(b"# gr\xf6\xdfe\n" + GOOD.encode())
    with pytest.raises(LoadError, match=r"^Trend\.py is not UTF-8 text$"):
        examine(tmp_path / "Trend.py", settings)


def test_a_link_is_refused_wherever_it_leads(tmp_path, settings):
    write(tmp_path, "Real.py", GOOD)
    for target in ("Real.py", "nowhere.py"):
        (tmp_path / "Trend.py").unlink(missing_ok=True)
        (tmp_path / "Trend.py").symlink_to(tmp_path / target)
        with pytest.raises(LoadError, match=r"^Trend\.py is not a regular file$"):
            examine(tmp_path / "Trend.py", settings)


def test_a_folder_a_pipe_and_a_socket_are_no_files(tmp_path, settings, monkeypatch):
    (tmp_path / "Folder.py").mkdir()
    os.mkfifo(tmp_path / "Pipe.py")  # reading it would wait for ever
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("Socket.py")
        for name in ("Folder", "Pipe", "Socket"):
            with pytest.raises(LoadError, match=f"^{name}.py is not a regular file$"):
                examine(tmp_path / f"{name}.py", settings)
            assert strategy_files.content(tmp_path / f"{name}.py") == b""


def test_a_device_is_no_file():
    with pytest.raises(LoadError, match="^zero is not a regular file$"):
        read(Path("/dev/zero"))


def test_a_hard_link_is_a_file_like_any_other(tmp_path, settings):
    os.link(write(tmp_path, "notes.txt", GOOD), tmp_path / "Trend.py")
    assert examine(tmp_path / "Trend.py", settings).source == GOOD


def test_a_file_that_is_gone_or_closed_is_refused_with_the_reason(tmp_path, settings):
    with pytest.raises(LoadError, match=r"^Trend\.py cannot be read: No such file or directory$"):
        examine(tmp_path / "Trend.py", settings)


def test_one_megabyte_is_read_and_one_byte_more_is_not(tmp_path, settings):
    (tmp_path / "Trend.py").write_bytes(GOOD.encode().ljust(1_000_000, b"#"))
    assert len(examine(tmp_path / "Trend.py", settings).source) == 1_000_000
    (tmp_path / "Trend.py").write_bytes(GOOD.encode().ljust(1_000_001, b"#"))
    with pytest.raises(LoadError, match=r"^Trend\.py is larger than 1 MB$"):
        examine(tmp_path / "Trend.py", settings)


def test_bytes_that_were_read_before_are_examined_whatever_the_file_holds_now(tmp_path, settings):
    file = write(tmp_path, "Trend.py", GOOD)
    data = read(file)
    file.write_text("no Python at all")
    found = examine(file, settings, data)
    assert (found.source, found.sha256) == (GOOD, hashlib.sha256(GOOD.encode()).hexdigest())


def test_a_file_is_opened_once(tmp_path, settings, monkeypatch):
    opened, really = [], os.open
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments) or really(*arguments))
    examined(tmp_path, settings, GOOD)
    assert [arguments[0].name for arguments in opened] == ["Trend.py"]


@pytest.mark.parametrize(
    "name", ["my-trend.py", "1st.py", "two words.py", "Größe.py", "a.b.py", "x\nstatus: OK.py", b"\xff.py"]
)
def test_a_file_name_that_is_no_class_name_is_refused(tmp_path, settings, name):
    name = os.fsdecode(name)
    assert refused(tmp_path, settings, GOOD, name).endswith("is no class name. Use letters, digits and underscores")
    assert refused(tmp_path, settings, GOOD, name).isprintable() and refused(tmp_path, settings, GOOD, name).isascii()


@pytest.mark.parametrize("word", ["class", "None", "lambda"])
def test_a_word_of_python_is_no_class_name(tmp_path, settings, word):
    assert (
        refused(tmp_path, settings, GOOD, f"{word}.py")
        == f"file name '{word}.py' is no class name: {word} is a word of Python's own"
    )


def test_a_class_name_has_at_most_sixty_letters(tmp_path, settings):
    name = "T" * 60
    assert examined(tmp_path, settings, GOOD.replace("Trend", name), f"{name}.py").name == name
    assert refused(tmp_path, settings, GOOD, f"{name}T.py") == f"file name {name}… has 61 letters. Use at most 60"


@pytest.mark.parametrize(
    ("text", "imported"),
    [
        ("import _helpers", "_helpers"),
        ("import numpy, _helpers as h", "_helpers"),
        ("from _helpers import x", "_helpers"),
        ("def f():\n    import Other", "Other"),
        ("import package.part", "package.part"),
        ("from . import y", ".y"),
        ("from .Other import x", ".Other"),
        ("from .. import *", "..*"),
        ("from user_data.strategies import Other", "user_data.strategies"),
        ("import user_data.strategies._helpers", "user_data.strategies._helpers"),
        ("import compiled", "compiled"),
    ],
)
def test_a_file_beside_the_strategy_is_not_imported(tmp_path, settings, text, imported):
    for name in ("_helpers.py", "Other.py", "compiled.so"):
        write(tmp_path, name)
    (tmp_path / "package").mkdir()
    write(tmp_path / "package", "part.py")
    expected = f"imports {imported}, a file beside it: one file is one strategy"
    assert refused(tmp_path, settings, f"{text}\n{GOOD}") == expected
    # said before the missing base is
    assert refused(tmp_path, settings, f"{text}\nclass Trend(Base): pass") == expected


def test_what_lies_beside_and_is_not_imported_does_no_harm(tmp_path, settings):
    for name in ("_helpers.py", "Other.py", "numpy.txt", "talib.py.bak"):
        write(tmp_path, name)
    (tmp_path / "pandas").mkdir()
    text = (
        "import numpy as np\nimport pandas as pd\nimport talib.abstract as ta\nfrom technical import qtpylib as Other\n"
    )
    assert examined(tmp_path, settings, text + GOOD).name == "Trend"


def basket(value, annotation=""):
    return GOOD + f"    pair_basket{annotation} = {value}\n"


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (basket('["SOL/USDT", "BTC/USDT"]'), ("BTC/USDT", "SOL/USDT")),
        (basket('("ETH/USDT",)'), ("ETH/USDT",)),
        (basket('["ETH/USDT"]', ": list[str]"), ("ETH/USDT",)),
        (GOOD + 'pair_basket = ["nothing/USDT"]\n', ("BTC/USDT", "ETH/USDT", "SOL/USDT")),
    ],
    ids=["a list", "a tuple", "annotated", "outside the class"],
)
def test_a_basket_chooses_the_pairs_in_the_arenas_order(tmp_path, settings, text, pairs):
    assert examined(tmp_path, settings, text).pairs == pairs


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('["BTC/USDC"]', "pair_basket names 'BTC/USDC', which the arena does not trade. Did you mean 'BTC/USDT'?"),
        (
            '["ETH/USDT", "QQQQQ"]',
            "pair_basket names 'QQQQQ', which the arena does not trade. It trades BTC/USDT, ETH/USDT, SOL/USDT",
        ),
        ('["ETH/USDT", "ETH/USDT"]', "pair_basket names a pair twice"),
        *(
            (value, 'pair_basket must be a literal list of pairs, for example ["BTC/USDT", "ETH/USDT"]')
            for value in (
                "[]",
                "()",
                "PAIRS",
                "[p for p in PAIRS]",
                '"BTC/USDT"',
                '["BTC/USDT", 7]',
                '{"BTC/USDT"}',
                "None",
                '[["BTC/USDT"]]',
            )
        ),
    ],
)
def test_a_wrong_basket_is_refused(tmp_path, settings, value, message):
    assert refused(tmp_path, settings, basket(value)) == message


def test_a_basket_that_is_only_declared_is_refused(tmp_path, settings):
    assert "must be a literal list" in refused(tmp_path, settings, GOOD + "    pair_basket: list[str]\n")


def git(root, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false", *arguments],
        cwd=root,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A real one, with one commit of A and B; nothing of the user's own settings."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    for name in "AB":
        write(root, f"{name}.py", "x = 1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


def head(root):
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True).stdout[:7]


def test_a_clean_file_has_the_commit(repository):
    a, b = repository / "A.py", repository / "B.py"
    assert commits(repository, [a, b]) == {a: head(repository), b: head(repository)}


def test_a_changed_file_is_dirty_and_its_neighbour_is_not(repository):
    a, b = repository / "A.py", repository / "B.py"
    a.write_text("x = 2\n")
    assert commits(repository, [a, b]) == {a: head(repository) + "+dirty", b: head(repository)}
    git(repository, "add", "A.py")  # staged is not committed
    assert commits(repository, [a])[a] == head(repository) + "+dirty"


def test_an_untracked_and_an_ignored_file_are_dirty(repository):
    new = write(repository, "New.py", "x = 1\n")
    assert commits(repository, [new])[new] == head(repository) + "+dirty"
    write(repository, ".gitignore", "New.py\n")
    git(repository, "add", ".gitignore")
    git(repository, "commit", "-qm", "ignore it")
    assert commits(repository, [new])[new] == head(repository) + "+dirty"


def test_a_file_that_git_cannot_judge_is_not_called_clean(repository, tmp_path):
    outside = write(tmp_path, "Outside.py", "x = 1\n")
    assert commits(repository, [outside])[outside] == head(repository) + "+dirty"


def test_the_label_is_that_of_the_bytes_and_not_of_the_file(repository):
    a, now = repository / "A.py", strategy_files.head(repository)
    assert now == head(repository)
    assert label(repository, now, a, b"x = 1\n") == now
    assert label(repository, now, a, b"x = 2\n") == now + "+dirty"  # evaluated, then changed back
    a.write_text("x = 2\n")
    assert label(repository, now, a, b"x = 1\n") == now


def test_the_label_names_the_commit_that_head_was(repository):
    before = strategy_files.head(repository)
    write(repository, "A.py", "x = 2\n")
    git(repository, "commit", "-qam", "second")
    assert label(repository, before, repository / "A.py", b"x = 1\n") == before
    assert label(repository, before, repository / "A.py", b"x = 2\n") == before + "+dirty"


def test_a_replaced_commit_makes_nothing_clean(repository):
    first = strategy_files.head(repository)
    write(repository, "A.py", "x = 2\n")
    git(repository, "commit", "-qam", "second")
    git(repository, "replace", first, "HEAD")
    assert label(repository, first, repository / "A.py", b"x = 2\n") == first + "+dirty"


def test_outside_git_there_is_no_head(tmp_path):
    assert strategy_files.head(tmp_path) is None
    assert label(tmp_path, None, tmp_path / "A.py", b"") == "unknown"


def test_outside_git_the_commit_is_unknown(tmp_path):
    file = write(tmp_path, "A.py", "x = 1\n")
    assert commits(tmp_path, [file]) == {file: "unknown"}
    assert touched(tmp_path, file)


def test_before_the_first_commit_it_is_unknown(tmp_path):
    git(tmp_path, "init", "-q")
    file = write(tmp_path, "A.py", "x = 1\n")
    assert commits(tmp_path, [file]) == {file: "unknown"}
    assert touched(tmp_path, file)


def test_without_git_the_commit_is_unknown(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    file = repository / "A.py"
    assert commits(repository, [file]) == {file: "unknown"}
    assert touched(repository, file)


def test_everything_in_the_first_commit_is_touched(repository):
    assert touched(repository, repository / "A.py")


def test_what_the_last_commit_changed_is_touched_and_nothing_else(repository):
    write(repository, "A.py", "x = 2\n")
    git(repository, "commit", "-qam", "second")
    assert touched(repository, repository / "A.py")
    assert not touched(repository, repository / "B.py")


def test_a_dirty_an_untracked_and_an_ignored_file_are_touched(repository):
    write(repository, ".gitignore", "C.py\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "second")
    assert not touched(repository, repository / "B.py")
    write(repository, "B.py", "x = 3\n")
    for name in "CD":
        write(repository, f"{name}.py", "x = 1\n")
    assert all(touched(repository, repository / f"{name}.py") for name in "BCD")


def test_a_file_changed_back_is_untouched(repository):
    git(repository, "commit", "-qm", "second", "--allow-empty")
    write(repository, "A.py", "x = 2\n")
    assert touched(repository, repository / "A.py")
    write(repository, "A.py", "x = 1\n")
    assert not touched(repository, repository / "A.py")


def test_no_variable_graft_or_monitor_makes_git_tell_of_something_else(repository, tmp_path, monkeypatch):
    """
    A repository elsewhere, in which the edited file is committed; a graft; a monitor, and a program named git in the
    repository.
    """
    file, mark = repository / "A.py", tmp_path / "mark"
    other = tmp_path / "other"
    shutil.copytree(repository, other)
    (other / "A.py").write_text("x = 2\n")
    git(other, "commit", "-qam", "theirs")
    file.write_text("x = 2\n")
    for name, value in {
        "GIT_DIR": other / ".git",
        "GIT_WORK_TREE": other,
        "GIT_OBJECT_DIRECTORY": other / ".git/objects",
    }.items():
        monkeypatch.setenv(name, str(value))
    program = repository / "git"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{repository}{os.pathsep}{os.environ['PATH']}")
    with monkeypatch.context() as plain:
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"):
            plain.delenv(name)
        plain.setenv("PATH", os.environ["PATH"].split(os.pathsep, 1)[1])
        now = head(repository)
        git(repository, "config", "core.fsmonitor", str(program))
    assert commits(repository, [file]) == {file: f"{now}+dirty"}
    (repository / ".git" / "info" / "grafts").write_text(f"{'1' * 40}\n")
    assert strategy_files.history(repository) == {now}
    assert not mark.exists()
