"""Picking what to label next."""

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from typer.testing import CliRunner

from boilerplate_clf import Classifier
from boilerplate_clf.cli.main import app
from boilerplate_clf.errors import DataError
from boilerplate_clf.retrain.rows import Row
from boilerplate_clf.retrain.select import pick_rows, write_picks
from boilerplate_clf.retrain.tables import read_csv, read_rows, write_csv

SURE = "Der Stadtrat hat am Dienstagabend über den Haushalt des kommenden Jahres beraten."
UNSURE = [
    "Mehr Geld für die Werkstatt: Wer mag, kann im Laden etwas dalassen oder ein Heft mitnehmen.",
    "Wer Mitglied ist, liest alles; wer mag, gibt etwas dazu.",
    "Hier geht es zur Anmeldung für die nächste Ausgabe unseres Hefts.",
]


@pytest.fixture(scope="module")
def classifier():
    return Classifier()


def row(text, number, label="", document=""):
    return Row(text, label, f"a.csv: row {number}", document, float(number))


def test_unsure_and_different_texts_come_first(classifier):
    rows = [row(f"{SURE} Es ging um Punkt {i}.", i) for i in range(60)]
    rows += [row(text, 100 + i) for i, text in enumerate(UNSURE)]
    rows += [row(text.upper(), 200 + i) for i, text in enumerate(UNSURE)]  # the same but for case
    picks = pick_rows(rows, classifier, 3)
    assert len(picks) == 3
    assert sum(pick.row.text.casefold() in {t.casefold() for t in UNSURE} for pick in picks) >= 2
    assert len({pick.row.text.casefold() for pick in picks}) == 3
    assert all(0 < pick.score <= 1 and pick.guess in classifier.labels for pick in picks)
    assert picks == pick_rows(rows, classifier, 3)


def test_what_has_a_label_anywhere_is_not_picked(classifier):
    rows = [row(UNSURE[0], 1, "content"), row(UNSURE[0], 2), row(UNSURE[1], 3), row("", 4)]
    assert [pick.row.where for pick in pick_rows(rows, classifier, 10)] == ["a.csv: row 3"]
    with pytest.raises(DataError, match="every row has a label"):
        pick_rows(rows[:2], classifier, 10)


def test_the_file_comes_back_with_its_documents(classifier, tmp_path):
    rows = [row(SURE, 1, "content", "d"), row(UNSURE[1], 2, "", "d")]
    write_picks(pick_rows(rows, classifier, 5), tmp_path / "next.csv")
    text = (tmp_path / "next.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[0] == "text,label,document,position,guess,score"
    (back,) = read_rows([tmp_path / "next.csv"])
    assert (back.text, back.label, back.document, back.position) == (UNSURE[1], "", "d", 2.0)


@pytest.mark.parametrize("name", ["all.csv", "link.csv"])
def test_the_input_is_not_overwritten(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    table = f'text,label\n{SURE},content\n"{UNSURE[1]}",\n'
    (tmp_path / "all.csv").write_text(table, encoding="utf-8")
    (tmp_path / "more.csv").write_text(table, encoding="utf-8")
    (tmp_path / "link.csv").symlink_to("all.csv")
    done = CliRunner().invoke(app, ["annotate-next", "more.csv", "all.csv", "--output", name])
    assert done.exit_code == 2
    assert done.output == (
        f"boilerplate-clf: {name}: is the input all.csv, which would be overwritten: name another file\n"
    )
    assert (tmp_path / "all.csv").read_text(encoding="utf-8") == table


def test_half_a_character_is_replaced_where_picks_are_written(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "Hier geht es zum Heft \\ud83d", "document": "d\\ud83d"}\n', encoding="utf-8")
    done = CliRunner().invoke(app, ["annotate-next", str(path), "--output", str(tmp_path / "next.csv")])
    assert done.exit_code == 0, done.output
    (back,) = read_rows([tmp_path / "next.csv"])
    assert (back.text, back.document) == ("Hier geht es zum Heft \ufffd", "d\ufffd")


def test_labels_that_were_filled_in_are_not_written_over(tmp_path):
    rows = tmp_path / "all.csv"
    rows.write_text("text,label\nDer Rat tagt am Montag.,\nJetzt spenden!,\nEs regnet seit Tagen.,\n")
    picks = tmp_path / "next.csv"
    command = ["annotate-next", str(rows), "--output", str(picks), "-n", "2"]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert CliRunner().invoke(app, command).exit_code == 0  # nobody has filled it in yet
    header, lines, _ = read_csv(picks)
    lines[0][header.index("label")] = "content"
    write_csv(picks, header, lines)
    filled = picks.read_bytes()
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2 and "would lose the labels in it (1)" in done.output
    assert picks.read_bytes() == filled
