"""Each thing that spoils a training is found, and clean data give no finding."""

import csv
import json
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from boilerplate_clf.retrain.check import FEW_EXAMPLES, Level, check_rows, first_lines
from boilerplate_clf.retrain.rows import Row

WORDS = (
    "Brücke",
    "Bahnhof",
    "Rathaus",
    "Schule",
    "Freibad",
    "Museum",
    "Kreisel",
    "Markt",
    "Feuerwehr",
    "Archiv",
)


def clean(label, number=FEW_EXAMPLES, **values):
    return [
        Row(f"Die Sache {label} mit {WORDS[i % 10]} und {WORDS[i // 10 % 10]} wird {i} Mal beraten.", label,
            f"{label}.csv: row {i + 2}", **values)
        for i in range(number)
    ]  # fmt: skip


GOOD = clean("content") + clean("newsletter")
LONG = "Der Gemeinderat hat gestern Abend lange über den Neubau der Brücke am Mühlbach gestritten"


def kinds(rows):
    return {finding.kind for finding in check_rows(rows).findings}


def test_clean_rows_have_no_finding():
    report = check_rows(GOOD)
    assert report.findings == () and report.errors == []
    assert report.counts == {"content": FEW_EXAMPLES, "newsletter": FEW_EXAMPLES}
    assert report.documents == 2 * FEW_EXAMPLES


SPOILT = {
    "no_labels": ([Row("Ein Satz.", "", "w")], Level.ERROR),
    "one_label": (clean("content"), Level.ERROR),
    "too_few": (GOOD + clean("author_bio", 3), Level.ERROR),
    "few": (GOOD + clean("author_bio", 20), Level.WARNING),
    "many_labels": (GOOD + [Row(f"Satz Nummer {i}", f"l{i}", "w") for i in range(60)], Level.ERROR),
    "no_keep_label": (clean("a") + clean("b"), Level.WARNING),
    "label_spelling": (GOOD + clean("Newsletter"), Level.ERROR),
    "unlabelled": ([*GOOD, Row("Noch offen", "", "w")], Level.NOTE),
    "conflict": ([*GOOD, Row(LONG, "content", "x"), Row(LONG.upper(), "newsletter", "y")], Level.WARNING),
    "copies": ([*GOOD, Row(LONG, "content", "x"), Row(LONG, "content", "y")], Level.NOTE),
    "leak": (
        [*GOOD, Row(LONG, "content", "x", split="train"), Row(LONG + " 2", "content", "y", split="dev")],
        Level.ERROR,
    ),
    "torn_document": (
        [*GOOD, Row("A", "content", "x", "d", split="train"), Row("B", "content", "y", "d", split="test")],
        Level.ERROR,
    ),
    "empty": ([*GOOD, Row("", "content", "x")], Level.WARNING),
    "long": ([*GOOD, Row("Das Wort " * 600, "content", "x")], Level.WARNING),
    "encoding": ([*GOOD, Row("Die BÃ¼rger fÃ¤llen BÃ¤ume", "content", "x")], Level.WARNING),
    "markup": ([*GOOD, Row("Ein <b>fetter</b> Satz&nbsp;hier", "content", "x")], Level.WARNING),
    "language": ([*GOOD, Row("please subscribe " * 8, "newsletter", "x")], Level.NOTE),
    "position": (
        [*GOOD, Row("A", "content", "x", "d", 1.0), Row("B", "content", "y", "d", 1.0)],
        Level.WARNING,
    ),
    "weights": ([Row(r.text, r.label, r.where, weight=0.0) for r in GOOD], Level.ERROR),
}


@pytest.mark.parametrize(("kind", "case"), SPOILT.items(), ids=SPOILT)
def test_what_spoils_a_training_is_found(kind, case):
    rows, level = case
    found = [finding for finding in check_rows(rows).findings if finding.kind == kind]
    assert found and found[0].level is level
    assert found[0].remedy and "\n" not in str(found[0])
    assert kind not in kinds(GOOD)


def test_findings_name_their_rows_and_the_worst_come_first():
    rows = [*GOOD, Row("", "content", "a.csv: row 99"), *clean("author_bio", 3)]
    report = check_rows(rows)
    assert [finding.level for finding in report.findings] == [Level.ERROR, Level.WARNING]
    assert report.findings[1].rows == ("a.csv: row 99",)
    assert "a.csv: row 99" in str(report.findings[1])
    assert "author_bio" in first_lines(report.errors)


def test_short_lines_may_have_several_labels():
    rows = [*GOOD, Row("Mehr erfahren", "content", "x"), Row("Mehr erfahren", "newsletter", "y")]
    assert "conflict" not in kinds(rows)


def run_check(*arguments):
    command = [sys.executable, "-m", "boilerplate_clf.cli.main", "check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def write_rows(path, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Absatz", "label"])
        writer.writerows([row.text, row.label] for row in rows)
    return path


def test_the_command_says_what_to_do_and_exits_with_1_on_errors(tmp_path):
    good, bad = write_rows(tmp_path / "a.csv", GOOD), write_rows(tmp_path / "b.csv", clean("content", 9))
    done = run_check(good, "--text-column", "Absatz")
    assert (done.returncode, done.stderr) == (0, "")
    assert "80 rows in 80 documents" in done.stdout and "nothing to complain about" in done.stdout
    done = run_check(bad, "--text-column", "Absatz")
    assert done.returncode == 1 and "error: All rows have the same label, 'content'" in done.stdout
    done = run_check(bad, "--text-column", "Absatz", "--json")
    assert done.returncode == 1
    assert {f["kind"] for f in json.loads(done.stdout)["findings"]} == {"one_label", "few"}


def test_half_a_character_in_a_label_is_shown_as_replaced(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"text": row.text, "label": row.label.replace("e", "\ud83d")}) for row in GOOD]
    path.write_text("\n".join(lines), encoding="utf-8")
    for arguments in ((), ("--json",)):
        done = run_check(path, "--keep-label", "cont\ufffdnt", *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert "cont\ufffdnt" in done.stdout


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    done = run_check(tmp_path / "fehlt.csv")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "fehlt.csv" in done.stderr
