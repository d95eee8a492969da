"""Cross-validation of one's own labels."""

import json

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from typer.testing import CliRunner

from boilerplate_clf.cli.main import app
from boilerplate_clf.errors import DataError
from boilerplate_clf.retrain import curve
from boilerplate_clf.retrain.curve import SHARES, Curve, Point, learning_curve
from boilerplate_clf.retrain.rows import Row
from boilerplate_clf.retrain.tables import read_rows
from boilerplate_clf.retrain.train import TrainOptions

from .conftest import ROOT

QUICK = TrainOptions(encoder=False)


@pytest.fixture(scope="module")
def rows():
    return read_rows([ROOT / "examples" / "own-labels.csv"])


def test_more_rows_are_better_and_every_label_is_told(rows):
    found = learning_curve(rows, QUICK)
    assert len(found.points) == len(SHARES) and found.points[-1].rows == 200
    assert found.points[-1].macro_f1 > found.points[0].macro_f1 + 0.1
    assert {label: worth.rows for label, worth in found.labels.items()} == {
        "affiliate_notice": 50, "author_bio": 50, "content": 100, "newsletter": 50,
    }  # fmt: skip
    mean = sum(worth.f1 for worth in found.labels.values()) / 4
    assert mean == pytest.approx(found.points[-1].macro_f1, abs=0.03)
    assert found.points[-1].macro_f1 < found.forecast(200) < found.forecast(2000) < 1
    assert learning_curve(rows, QUICK) == found


def test_no_document_is_trained_and_measured_on(rows, monkeypatch):
    grouped = [Row(r.text, r.label, r.where, document=f"d{i % 60}") for i, r in enumerate(rows)]
    real, seen = curve._predict, []

    def watched(training, aside, labels, options):
        assert not {r.document for r in training} & {r.document for r in aside}
        seen.append(len(aside))
        return real(training, aside, labels, options)

    monkeypatch.setattr(curve, "_predict", watched)
    learning_curve(grouped, QUICK)
    assert sum(seen) == len(SHARES) * len(rows)


def test_the_encoder_is_measured_by_training_it(rows, monkeypatch):
    calls = []

    def fake(part, output, *, options, force):
        calls.append(len(part))
        return real(part, output, options=QUICK, force=force)

    real = curve.train
    monkeypatch.setattr(curve, "train", fake)
    found = learning_curve(rows, TrainOptions(folds=2))
    assert len(calls) == 4 and calls[2:] == [125, 125] and found.points[-1].macro_f1 > 0.5


def test_a_flat_curve_promises_nothing():
    assert Curve((Point(50, 0.8, 0.0), Point(100, 0.8, 0.0)), {}).forecast(100) is None
    assert Curve((Point(50, 0.8, 0.0),), {}).forecast(100) is None
    rising = Curve((Point(100, 0.8, 0.0), Point(200, 0.9, 0.0)), {})  # twice the rows, half the error
    assert rising.forecast(200) == pytest.approx(0.95)


def test_too_few_documents():
    with pytest.raises(DataError, match="only 3 labelled documents: at least 5"):
        learning_curve([Row(f"Satz {i}", "a", f"f: row {i}") for i in range(3)], QUICK)


def test_the_command(tmp_path):
    path = str(ROOT / "examples" / "own-labels.csv")
    done = CliRunner().invoke(app, ["learning-curve", path, "--folds", "3", "--more", "100"])
    assert done.exit_code == 0 and "with 100 more rows: about 0." in done.output, done.output
    done = CliRunner().invoke(app, ["learning-curve", path, "--folds", "2", "--json"])
    facts = json.loads(done.output[done.output.index("{") :])
    assert len(facts["points"]) == len(SHARES) and facts["more"] == 200
