"""`boilerplate-clf evaluate`, as a user runs it."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("sklearn", reason="the extra 'train' is not installed")

from boilerplate_clf.files import sha256_file

from .conftest import ROOT

DATA = ROOT / "tests" / "data"


def evaluate(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "boilerplate_clf.cli.main", "evaluate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_report_and_plots(tmp_path):
    done = evaluate(
        DATA / "smoke-dev.jsonl", "--train", DATA / "smoke-train.jsonl", "--output", tmp_path / "report"
    )
    assert done.returncode == 0, done.stderr
    for part in ("macro-F1", "keyword list", "TF-IDF", "content flagged", "view all"):
        assert part in done.stdout
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["data"]["sha256"] == sha256_file(DATA / "smoke-dev.jsonl")
    assert list(report["systems"]) == ["de-news-small", "keyword list", "TF-IDF + logistic regression"]
    for views in report["systems"].values():
        assert 0 <= views["text"]["macro_f1"] <= 1 and len(views["all"]["confusion"]) == 4
    plots = sorted(path.name for path in (tmp_path / "report").glob("*.png"))
    assert len(plots) == 6
    for name in plots:
        assert (tmp_path / "report" / name).read_bytes().startswith(b"\x89PNG")


def test_training_data_of_the_same_publishers_are_refused():
    done = evaluate(DATA / "smoke-dev.jsonl", "--train", DATA / "smoke-dev.jsonl")
    assert done.returncode == 2
    assert "in the training and the evaluation data" in done.stderr and len(done.stderr.splitlines()) == 1


def test_bad_files(tmp_path):
    done = evaluate(tmp_path / "nowhere.jsonl")
    assert done.returncode == 2 and "nowhere.jsonl: cannot be read" in done.stderr
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"paragraphs": [{"text": "x", "label": "advert"}]}\n')
    done = evaluate(bad)
    assert done.returncode == 2 and "bad.jsonl:1" in done.stderr and "Traceback" not in done.stderr
