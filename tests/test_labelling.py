"""Labelling in a terminal."""

import os
import pty
import select
import sys
import time

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

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
