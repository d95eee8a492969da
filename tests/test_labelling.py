"""Labelling in a terminal."""

import os
import pty
import select
import sys
import time

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from typer.testing import CliRunner

from boilerplate_clf.cli.label import _show
from boilerplate_clf.cli.main import app
from boilerplate_clf.errors import InputError
from boilerplate_clf.retrain.labelling import Labelling
from boilerplate_clf.retrain.rows import Row
from boilerplate_clf.retrain.tables import read_rows

ROWS = [
    Row("Eins", "", "a: row 2", "d", 1.0),
    Row("Zwei", "content", "a: row 3", "d", 2.0),
    Row("Drei; mit Komma, und „Zitat“", "", "a: row 4", "d", 3.0),
    Row("Vier", "", "a: row 5"),
]
LABELS = ["content", "newsletter"]


def saved(path):
    return [(row.text, row.label) for row in read_rows([path])]


def test_every_answer_is_saved_at_once_and_can_be_taken_back(tmp_path):
    path = tmp_path / "out.csv"
    work = Labelling(ROWS, LABELS, path)
    assert work.total == 3 and work.question().row.text == "Eins"
    assert work.question().after == ("Zwei", "Drei; mit Komma, und „Zitat“")
    assert not work.press("u") and not work.press("7")  # nothing to undo, no such label
    assert work.press("1") and saved(path) == [("Eins", "content")]
    assert work.press("2") and saved(path)[-1] == ("Drei; mit Komma, und „Zitat“", "newsletter")
    assert work.press("u") and saved(path) == [("Eins", "content")]
    assert work.question().row.text.startswith("Drei")
    assert work.press("s") and work.question().row.text == "Vier"
    assert work.press("u") and work.question().row.text.startswith("Drei")  # a skip, too
    assert saved(path) == [("Eins", "content")]


def test_a_second_sitting_goes_on_where_the_first_ended(tmp_path):
    path = tmp_path / "out.csv"
    first = Labelling(ROWS, LABELS, path)
    first.press("1")
    second = Labelling(ROWS, LABELS, path)
    assert second.total == 2 and second.question().row.text.startswith("Drei")
    second.press("2")
    second.press("1")
    assert second.question() is None and not second.press("1")
    assert [label for _, label in saved(path)] == ["content", "newsletter", "content"]
    assert Labelling(ROWS, LABELS, path).question() is None


def test_positions_are_saved_exactly(tmp_path):
    path, places = tmp_path / "out.csv", [20240100.0, 20240101.0, 0.1, 1e-7, 3e20]
    rows = [Row("Noch ein Satz", "", f"a: row {i}", "d", place) for i, place in enumerate(places)]
    work = Labelling(rows, LABELS, path)
    while work.question() is not None:
        work.press("1")
    assert sorted(row.position for row in read_rows([path])) == sorted(places)
    assert {"20240100", "20240101", "0.1"} < {
        line.rpartition(",")[2] for line in path.read_text("utf-8").split("\n")
    }
    assert Labelling(rows, LABELS, path).total == 0  # nothing is asked again


def test_a_file_of_answers_keeps_its_columns_and_cells(tmp_path):
    path = tmp_path / "mine.csv"
    old = ["text;label;split;weight;note", "Alt;content;dev;2;wichtig, sehr", "Kurz;newsletter"]
    path.write_text("\n".join(old) + "\n", encoding="cp1252")
    work = Labelling(ROWS, LABELS, path)
    work.press("1")
    kept = [
        "text,label,split,weight,note,document,position",
        'Alt,content,dev,2,"wichtig, sehr",,',
        "Kurz,newsletter,,,,,",
    ]
    assert path.read_text(encoding="utf-8-sig").splitlines() == [*kept, "Eins,content,,,,d,1"]
    work.press("u")
    assert path.read_text(encoding="utf-8-sig").splitlines() == kept


def test_a_sitting_that_was_taken_back_can_be_gone_on_with(tmp_path):
    path = tmp_path / "out.csv"
    first = Labelling(ROWS, LABELS, path)
    first.press("1")
    first.press("u")
    second = Labelling(ROWS, LABELS, path)
    assert second.total == 3 and second.press("2") and saved(path) == [("Eins", "newsletter")]


def test_answers_go_to_csv_only(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "Eins", "label": "content"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.jsonl: answers are written as CSV"):
        Labelling(ROWS, LABELS, path)


def test_what_a_file_cannot_hold_is_replaced_and_known_again(tmp_path):
    path = tmp_path / "out.csv"
    (tmp_path / "in.jsonl").write_text(
        '{"text": "Halb \\ud83d hier"}\n{"text": "Null\\u0000zeichen", "document": "d\\udc00"}\n',
        encoding="utf-8",
    )
    rows = read_rows([tmp_path / "in.jsonl"])
    work = Labelling(rows, ["content", "brief\udcfc"], path)  # Latin-1 on the command line
    work.press("1")
    work.press("2")
    assert saved(path) == [("Halb \ufffd hier", "content"), ("Null\ufffdzeichen", "brief\ufffd")]
    assert Labelling(rows, LABELS, path).total == 0


@pytest.mark.parametrize("name", ["in.csv", "./sub/../in.csv", "symbolic.csv", "hard.csv"])
def test_the_input_is_no_place_for_answers(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "in.csv").write_text("text,label\nEins,\n", encoding="utf-8")
    (tmp_path / "symbolic.csv").symlink_to("in.csv")
    os.link("in.csv", "hard.csv")
    done = CliRunner().invoke(app, ["label", "in.csv", "--output", name, "--labels", "content,newsletter"])
    assert done.exit_code == 2 and "is the input in.csv, which would be overwritten" in done.output
    assert (tmp_path / "in.csv").read_text(encoding="utf-8") == "text,label\nEins,\n"


def test_scraped_text_cannot_steer_the_terminal(tmp_path, capsys):
    texts = [
        "Davor \x1b]0;Titel\x07 steht",
        "Erste\u00a0Zeile\x1b[2J\nzweite\tZeile \x9b31m",
        "Da\u202enach\r.",
    ]
    rows = [Row(text, "", f"a: row {i}", "d", float(i)) for i, text in enumerate(texts)]
    work = Labelling(rows, ["content", "rot\x1b[31m"], tmp_path / "out.csv")
    work.press("s")
    _show(work, work.question())
    shown = capsys.readouterr().out
    assert all(c.isprintable() or c == "\n" for c in shown), ascii(shown)
    assert (
        "Erste Zeile\ufffd[2J\nzweite Zeile \ufffd31m" in shown
        and "Davor \ufffd]0;Titel\ufffd steht" in shown
    )


def test_labels_must_fit_the_keys(tmp_path):
    for labels in (["content"], [f"l{i}" for i in range(60)]):
        with pytest.raises(InputError, match="give between 2 and"):
            Labelling(ROWS, labels, tmp_path / "out.csv")


def test_the_command_in_a_terminal(tmp_path):
    (tmp_path / "in.csv").write_text("text,label\nEins,\nZwei,\nDrei,\n", encoding="utf-8")
    command = [sys.executable, "-m", "boilerplate_clf.cli.main", "label", str(tmp_path / "in.csv")]
    command += ["--output", str(tmp_path / "out.csv"), "--labels", "content,newsletter"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    seen = b""
    keys = [(b"1 of 3", b"2"), (b"2 of 3", b"u"), (b"1 of 3", b"1"), (b"2 of 3", b"2"), (b"3 of 3", b"q")]
    deadline = time.monotonic() + 60
    for wanted, key in keys:
        while wanted not in seen or b"[q]uit" not in seen[seen.rindex(wanted) :]:
            assert time.monotonic() < deadline, seen
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 4096)
        seen = b""
        time.sleep(1)  # what is typed before the terminal is switched to single keys is thrown away
        os.write(terminal, key)
    try:
        while chunk := os.read(terminal, 4096):
            seen += chunk
    except OSError:
        pass  # the other side has closed it
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"2 answers" in seen
    assert saved(tmp_path / "out.csv") == [("Eins", "content"), ("Zwei", "newsletter")]
