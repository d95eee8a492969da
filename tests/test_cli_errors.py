"""How commands end where nothing of ours is to blame: full disks, folders that are none, Ctrl-C."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from boilerplate_clf.cli import main as entry
from boilerplate_clf.cli.guard import guarded
from boilerplate_clf.cli.main import app


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def article(tmp_path):
    path = tmp_path / "article.txt"
    path.write_text("Der Rat tagt am Montag im Rathaus.\n", encoding="utf-8")
    return path


COMMAND = f"{sys.executable} -m boilerplate_clf.cli.main"


def shell(line, folder):
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=folder, check=False)


def test_a_link_keeps_its_place_and_a_file_its_permissions(article, tmp_path):
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("alt")
    target.chmod(0o600)
    link.symlink_to(target)
    assert run("clean", article, "--output", link).exit_code == 0
    assert link.is_symlink() and target.read_text(encoding="utf-8") == article.read_text(encoding="utf-8")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_pipes_and_standard_output_as_output(article):
    want = article.read_text(encoding="utf-8")
    assert shell(f"{COMMAND} clean article.txt -o -", article.parent).stdout == want
    os.mkfifo(article.parent / "pipe")
    done = shell(f"cat pipe & {COMMAND} clean article.txt -o pipe; wait", article.parent)
    assert (done.stdout, done.stderr) == (want, "")
    assert stat.S_ISFIFO((article.parent / "pipe").stat().st_mode)


def test_what_was_removed_does_not_overwrite_what_was_kept(article, tmp_path):
    done = run("clean", article, "--output", tmp_path / "x", "--removed", tmp_path / "y" / ".." / "x")
    assert done.exit_code == 2 and "are the same file" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_standard_output_is_not_blamed_on_another_file(article):
    done = shell(f"{COMMAND} clean article.txt --removed r.jsonl > /dev/full", article.parent)
    assert (
        done.returncode == 2 and "r.jsonl" not in done.stderr and "standard output: No space" in done.stderr
    )


def test_streams_that_the_shell_has_closed(article):
    done = shell(f"{COMMAND} predict article.txt >&-", article.parent)
    assert done.returncode == 2 and "standard output: not writable" in done.stderr
    assert shell(f"{COMMAND} clean article.txt -o c.txt >&- <&-", article.parent).returncode == 0
    assert (article.parent / "c.txt").read_text(encoding="utf-8") == article.read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--output", "--removed"])
def test_an_output_that_cannot_be_written(article, option):
    done = run("clean", article, option, article / "out")
    assert done.exit_code == 2 and f"{article / 'out'}: cannot be written: " in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.output and article.read_text(encoding="utf-8").startswith("Der Rat")


def test_a_folder_of_parts_that_cannot_be_made(article, tmp_path):
    pytest.importorskip("fsspec", reason="the extra 'annotate' is not installed")
    (tmp_path / "a.jsonl").write_text('{"text": "Ein Satz."}\n')
    done = run("annotate", tmp_path / "a.jsonl", "--output", article / "parts", "--workers", 1)
    assert done.exit_code == 2 and done.stderr.startswith("boilerplate-clf: ")
    assert done.stderr.count("\n") == 1 and str(article) in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OSError(28, "No space left on device", "/data/out"), 2, "/data/out: No space left on device"),
        (OSError(5, "Input/output error"), 2, "Input/output error"),
        (OSError("odd"), 2, "odd"),
        (KeyboardInterrupt(), 130, None),
    ],
)
def test_every_command_ends_in_one_line(capsys, error, code, line):
    def command():
        raise error

    with pytest.raises(entry.typer.Exit) as caught:
        guarded(command)()
    assert caught.value.exit_code == code
    assert capsys.readouterr().err == ("" if line is None else f"boilerplate-clf: {line}\n")


def test_ctrl_c_before_a_command_has_begun(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "app", interrupted)
    monkeypatch.setattr(sys, "argv", ["boilerplate-clf"])
    with pytest.raises(SystemExit) as caught:
        entry.main()
    assert caught.value.code == 130
