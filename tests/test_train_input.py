"""What people may pass to ``train`` by mistake: one clear line each, and nothing half-made is left."""

import csv
import json
import shutil

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from typer.testing import CliRunner

from boilerplate_clf.cli.main import app
from boilerplate_clf.retrain.train import TrainOptions

from .conftest import ROOT, SHIPPED


def run(folder, monkeypatch, *arguments):
    monkeypatch.chdir(folder)
    shutil.copy(ROOT / "examples" / "own-labels.csv", "rows.csv")
    done = CliRunner().invoke(app, ["train", "rows.csv", "--output", "mine", *arguments])
    return done, sorted(path.name for path in folder.iterdir() if path.name != "rows.csv")


CONFIGS = {
    "unknown key": ("epoks: 3", "options.yaml: epoks: unknown key; known are base, encoder"),
    "no number": ("epochs: viele", "options.yaml: epochs: Input should be a valid number"),
    "negative": ("epochs: -3", "options.yaml: : Value error, epochs must be at least 0.1"),
    "not a number": ("minutes: .nan", "minutes must be at least 0.01"),
    "no YAML": (": [", "options.yaml: not YAML"),
    "empty": ("", "options.yaml: empty, or not a mapping"),
    "a list": ("[1, 2]", "options.yaml: empty, or not a mapping"),
    "no label": ("keep_label: ''", "keep_label must not be empty"),
    "binary": ("\0\1", "options.yaml: not YAML"),
}


@pytest.mark.parametrize(("text", "message"), CONFIGS.values(), ids=CONFIGS)
def test_bad_configurations(text, message, tmp_path, monkeypatch):
    (tmp_path / "options.yaml").write_text(text)
    done, left = run(tmp_path, monkeypatch, "--config", "options.yaml")
    assert done.exit_code == 2 and message in done.output
    assert len(done.output.splitlines()) == 1 and left == ["options.yaml"]


ARGUMENTS = {
    "no such config": (["--config", "no.yaml"], "no.yaml: cannot be read: No such file"),
    "the same rows to measure on": (
        ["--eval", "rows.csv"],
        "nearly stand in 'dev' or 'test', too (rows.csv: row",
    ),
    "no such rows to measure on": (["--eval", "no.csv"], "no.csv: cannot be read: No such file"),
    "no encoder in the folder": (["--base", "."], "base '.' cannot be loaded"),
    "a bundle is no encoder": (["--base", str(SHIPPED)], "cannot be loaded"),
    "another column": (["--text-column", "Absatz"], "rows.csv: no column 'Absatz' in the first row"),
    "no such label to keep": (["--keep-label", "text"], "no row has the label 'text'"),
    "nothing to go on with": (["--resume"], "leave out --resume"),
    "the output is a file": (["--output", "rows.csv"], "exists and is not a bundle"),
    "nowhere to write": (["--output", "/proc/nowhere/mine"], "/proc/nowhere: No such file"),
}


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_bad_arguments(arguments, message, tmp_path, monkeypatch):
    done, left = run(tmp_path, monkeypatch, *arguments)
    assert done.exit_code == 2 and message in done.output, done.output
    assert "Traceback" not in done.output and left == []


def test_rows_to_measure_on_need_labels_that_are_learnt(tmp_path, monkeypatch):
    (tmp_path / "ev.csv").write_text(
        "text,label\nDer Bach führt nach dem Regen viel Wasser.,\n", encoding="utf-8"
    )
    done, left = run(tmp_path, monkeypatch, "--ngrams-only", "--eval", "ev.csv")
    assert done.exit_code == 2 and left == ["ev.csv"], done.output
    message = (
        "ev.csv: no row to measure on has one of the labels content, affiliate_notice, author_bio, newsletter"
    )
    assert message in done.output and len(done.output.splitlines()) == 1


def test_rows_to_measure_on_may_not_all_be_short(tmp_path, monkeypatch):
    (tmp_path / "ev.csv").write_text(
        "text,label\nDer Bach,content\nUnser Brief,newsletter\n", encoding="utf-8"
    )
    done, left = run(tmp_path, monkeypatch, "--ngrams-only", "--eval", "ev.csv")
    assert done.exit_code == 2 and left == ["ev.csv"], done.output
    assert "nothing to measure on: no paragraph of 4 or more words has a label" in done.output


def test_half_characters_in_texts_and_labels_are_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (ROOT / "examples" / "own-labels.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = [
            {"text": row["text"] + " \ud83d", "label": row["label"] + "\ud83d"}
            for row in csv.DictReader(stream)
        ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    arguments = ["train", "rows.jsonl", "--output", "mine", "--ngrams-only", "--keep-label", "content\ufffd"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "newsletter\ufffd" in json.loads((tmp_path / "mine" / "bundle.json").read_text("utf-8"))["labels"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "rows.jsonl"]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "bundles").mkdir()
    (tmp_path / "mine").symlink_to("bundles/first")  # leads to nothing yet
    for _ in range(2):
        done, left = run(tmp_path, monkeypatch, "--ngrams-only")
        assert done.exit_code == 0 and left == ["bundles", "mine"], done.output
        assert (tmp_path / "mine").is_symlink() and json.loads((tmp_path / "mine/bundle.json").read_text())
        assert [path.name for path in (tmp_path / "bundles").iterdir()] == ["first"]


def test_the_current_folder_is_not_replaced(tmp_path, monkeypatch):
    rows = str(ROOT / "examples" / "own-labels.csv")
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for content, message in ((None, "exists and is not a bundle"), ("{}", "is the current folder")):
        if content:
            (folder / "bundle.json").write_text(content)
        for name in (".", "../mine", str(folder)):
            done = CliRunner().invoke(app, ["train", rows, "--ngrams-only", "--output", name])
            assert done.exit_code == 2 and message in done.output, done.output
            assert "mine: " in done.output and len(done.output.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_configuration_counts_and_the_command_line_goes_before(tmp_path, monkeypatch):
    (tmp_path / "options.yaml").write_text("encoder: false\nkeep_label: newsletter\nseed: 4\n")
    done, left = run(tmp_path, monkeypatch, "--config", "options.yaml", "--keep-label", "content")
    assert done.exit_code == 0 and left == ["mine", "options.yaml"], done.output
    manifest = json.loads((tmp_path / "mine" / "bundle.json").read_text())
    assert manifest["windows"] is None and manifest["keep_label"] == "content"


def test_numbers_out_of_range():
    for values in ({"folds": 1}, {"learning_rate": 0.0}, {"epochs": float("nan")}):
        with pytest.raises(ValueError, match="must be at least"):
            TrainOptions(**values)
