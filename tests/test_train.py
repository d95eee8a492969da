"""Training on rows of one's own: what comes out, what is refused, what a killed run leaves behind."""

import gc
import json
import shutil

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from boilerplate_clf import Classifier
from boilerplate_clf.bundle.manifest import MANIFEST
from boilerplate_clf.cli.main import app
from boilerplate_clf.errors import DataError, TrainingError
from boilerplate_clf.files import sha256_file
from boilerplate_clf.retrain import train as training
from boilerplate_clf.retrain.rows import Row
from boilerplate_clf.retrain.split import split_rows
from boilerplate_clf.retrain.train import TrainOptions, train
from boilerplate_clf.training.config import load_config
from boilerplate_clf.training.encoder import save_encoder
from boilerplate_clf.training.pipeline import Pipeline
from boilerplate_clf.training.runs import read_stage

from .conftest import ROOT

PLACES = ("Brücke", "Schule", "Halle", "Straße", "Wiese", "Kirche", "Mühle", "Burg", "Werft", "Grube")


def rows(label, sentence, number=24):
    return [
        Row(sentence.format(PLACES[i % 10], i // 10 + 1), label, f"{label}.csv: row {i + 2}")
        for i in range(number)
    ]


ROWS = rows("content", "Der Rat hat über die {} im Bezirk {} lange beraten.") + rows(
    "newsletter", "Bestellen Sie jetzt unseren Brief aus der {} Nummer {} kostenlos!"
)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Options that start from an encoder of tiny size."""
    run = tmp_path_factory.mktemp("encoder")
    work = Pipeline(load_config(ROOT / "configs" / "smoke.yaml"), run)
    work.stage("tokenizer")
    work.stage("pretrain")
    save_encoder(run, "tiny", "0", read_stage(run / "pretrain"))
    return TrainOptions(base=str(run / "encoder"), epochs=0.1, learning_rate=5e-3, seed=3)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(training, "_LEAST_STEPS", 40)


@pytest.fixture(scope="module")
def trained(options, tmp_path_factory):
    """A folder with a bundle trained on ROWS, and its result."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_LEAST_STEPS", 40)
        return folder, train(ROWS, folder / "mine", options=options)


def test_the_bundle_has_the_labels_of_the_rows(trained):
    folder, result = trained
    assert result.labels == ("content", "newsletter") and result.replaced
    assert result.bundle == folder / "mine" and result.previous_macro_f1 is None
    assert 8 <= result.measured_on <= 11
    assert result.macro_f1 > 0.9 and result.baseline_macro_f1 > 0.9  # two sentences: easy
    document = Classifier(result.bundle).predict(["Der Rat hat beraten.", "Bestellen Sie unseren Brief!"])
    assert set(document[0].scores) == {"content", "newsletter"}
    assert [path.name for path in folder.iterdir()] == ["mine"]  # no working folder is left


def test_the_same_rows_give_the_same_figures(trained, options, tmp_path):
    _, first = trained
    second = train(ROWS, tmp_path / "again", options=options)
    assert second.macro_f1 == first.macro_f1 and second.baseline_macro_f1 == first.baseline_macro_f1
    one, two = (json.loads((r.bundle / MANIFEST).read_text()) for r in (first, second))
    assert one["thresholds"] == two["thresholds"] and one["chain"] == two["chain"]
    for name in ("ngrams.npz", "tokenizer.json"):
        assert one["files"][name] == two["files"][name]


def test_a_better_bundle_is_left_where_it_is(trained, options, tmp_path, monkeypatch):
    folder, _ = trained
    shutil.copytree(folder / "mine", tmp_path / "mine")
    before = sha256_file(tmp_path / "mine" / MANIFEST)
    scores = iter((0.5, 0.9))  # the new one, the old one
    monkeypatch.setattr(training, "bundle_macro_f1", lambda *_: next(scores))
    result = train(ROWS, tmp_path / "mine", options=options)
    assert not result.replaced and result.bundle == tmp_path / "mine-new"
    assert (result.macro_f1, result.previous_macro_f1) == (0.5, 0.9)
    assert sha256_file(tmp_path / "mine" / MANIFEST) == before
    Classifier(result.bundle)


def test_a_killed_training_leaves_the_old_bundle_and_goes_on(trained, options, tmp_path, monkeypatch):
    folder, _ = trained
    shutil.copytree(folder / "mine", tmp_path / "mine")
    before = sha256_file(tmp_path / "mine" / MANIFEST)
    real = Pipeline.export
    monkeypatch.setattr(Pipeline, "export", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(ROWS, tmp_path / "mine", options=options)
    assert sha256_file(tmp_path / "mine" / MANIFEST) == before
    monkeypatch.setattr(Pipeline, "export", real)
    with pytest.raises(TrainingError, match="was begun with other data"):
        train(ROWS[1:], tmp_path / "mine", options=options, resume=True)
    tuned = (tmp_path / ".mine.training" / "finetune" / "stage.json").stat().st_mtime_ns

    def watched(self):
        assert (self.run / "finetune" / "stage.json").stat().st_mtime_ns == tuned  # not trained again
        real(self)

    monkeypatch.setattr(Pipeline, "export", watched)
    assert train(ROWS, tmp_path / "mine", options=options, resume=True).replaced
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


def test_nothing_to_resume(options, tmp_path):
    with pytest.raises(TrainingError, match="leave out --resume"):
        train(ROWS, tmp_path / "mine", options=options, resume=True)


REFUSED = {
    "one label": (ROWS[:24], DataError, "All rows have the same label"),
    "too few": (ROWS[:30], DataError, "Add examples"),
    "no labels": ([Row("Ein Satz.", "", "a: row 2")], DataError, "No row has a label"),
    "nothing to keep": (
        [Row(r.text, r.label.replace("content", "article"), r.where) for r in ROWS],
        DataError,
        "--keep-label",
    ),
    "one document": (
        [Row(r.text, r.label, r.where, document="d") for r in ROWS],
        DataError,
        "only 1 documents",
    ),
}


@pytest.mark.parametrize(("data", "kind", "message"), REFUSED.values(), ids=REFUSED)
def test_worthless_data_are_refused_and_leave_nothing(data, kind, message, options, tmp_path):
    with pytest.raises(kind, match=message) as error:
        train(data, tmp_path / "mine", options=options)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_bundle_is_never_overwritten(options, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("x")
    with pytest.raises(TrainingError, match="exists and is not a bundle"):
        train(ROWS, tmp_path / "mine", options=options)
    assert (tmp_path / "mine" / "diary.txt").exists()


def test_no_document_is_on_both_sides_and_splits_are_followed():
    grouped = [Row(r.text, r.label, r.where, document=f"d{i // 3}") for i, r in enumerate(ROWS)]
    one, two = split_rows(grouped)
    assert not {r.document for r in one} & {r.document for r in two}
    assert {r.label for r in two} == {"content", "newsletter"}
    named = [Row(r.text, r.label, r.where, split=("train", "dev", "test")[i % 3]) for i, r in enumerate(ROWS)]
    one, two = split_rows(named)
    assert {r.split for r in one} == {"train"} and {r.split for r in two} == {"dev"}


def test_the_command(options, tmp_path):
    from typer.testing import CliRunner

    lines = [json.dumps({"Absatz": row.text, "label": row.label}) for row in ROWS]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    arguments = ["train", str(tmp_path / "a.jsonl"), "--text-column", "Absatz", "--epochs", "0.1"]
    arguments += ["--output", str(tmp_path / "mine"), "--base", options.base]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "macro-F1 on" in done.output and "TF-IDF + logistic regression" in done.output
    assert f"bundle: {tmp_path / 'mine'}" in done.output
    Classifier(tmp_path / "mine")


def test_the_estimator_is_one_of_scikit_learn(options):
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.model_selection import cross_val_score

    from boilerplate_clf.retrain.estimator import ParagraphEstimator

    estimator = ParagraphEstimator(base=options.base, epochs=0.1, learning_rate=5e-3)
    texts, labels = [row.text for row in ROWS], [row.label for row in ROWS]
    with pytest.raises(NotFittedError):
        estimator.predict(texts)
    with pytest.raises(DataError, match="48 texts, but 1 labels"):
        estimator.fit(texts, labels[:1])
    assert min(cross_val_score(estimator, texts, labels, cv=2)) > 0.9
    fitted = clone(estimator).fit(texts, labels)
    assert fitted.classes_.tolist() == ["content", "newsletter"]
    chances = fitted.predict_proba(texts[:3])
    assert chances.shape == (3, 2) and chances.sum(axis=1) == pytest.approx([1, 1, 1])
    assert fitted.score(texts, labels) > 0.9
    assert Classifier(fitted.bundle_).labels == ("content", "newsletter")
    bundle = fitted.bundle_
    del fitted
    gc.collect()
    assert not bundle.parent.exists()
