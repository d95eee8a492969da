"""What people may pass to ``train`` by mistake: one clear line each, and nothing half-made is left."""

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
