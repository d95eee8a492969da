"""How commands end where nothing of ours is to blame: full disks, folders that are none, Ctrl-C."""

import sys

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
