"""Labels added to a model: its own are judged as before, and nothing of it can be forged."""

import json
import shutil

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from boilerplate_clf import Classifier, Mode
from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.bundle.manifest import EXTENSION, MANIFEST
from boilerplate_clf.cli.main import app
from boilerplate_clf.errors import BundleFormatError, DataError
from boilerplate_clf.labels import LABELS
from boilerplate_clf.retrain import rehearsal as rehearsing
from boilerplate_clf.retrain.rehearsal import PAGES, rehearsal
from boilerplate_clf.retrain.rows import Row
from boilerplate_clf.retrain.tables import read_rows
from boilerplate_clf.retrain.train import TrainOptions, train

from .conftest import ROOT, SHIPPED

NEW = ("affiliate_notice", "author_bio", "newsletter")
QUICK = TrainOptions(extend=True, encoder=False)
ARTICLE = [line for line in (ROOT / "examples" / "artikel.txt").read_text("utf-8").splitlines() if line]


@pytest.fixture(scope="module")
def rows():
    return read_rows([ROOT / "examples" / "own-labels.csv"])


@pytest.fixture
def few_pages(monkeypatch):
    monkeypatch.setattr(rehearsing, "PAGES", 120)  # quick, and good enough to see that it works


@pytest.fixture(scope="module")
def extended(rows, tmp_path_factory):
    unseen = read_rows([ROOT / "tests" / "data" / "own-labels-test.csv"])  # by another author
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearsing, "PAGES", 120)
        return train(rows, tmp_path_factory.mktemp("extended") / "mine", evaluation=unseen, options=QUICK)


@pytest.fixture
def copy(extended, tmp_path):
    shutil.copytree(extended.bundle, tmp_path / "copy")
    return tmp_path / "copy"


def test_the_old_labels_share_what_the_new_ones_leave(extended):
    old, new = Classifier(SHIPPED), Classifier(extended.bundle)
    assert new.labels == (*LABELS, *NEW) and extended.labels == ("content", *NEW)
    for before, after in zip(old.predict(ARTICLE), new.predict(ARTICLE), strict=True):
        assert sum(after.scores.values()) == pytest.approx(1)
        left = sum(after.scores[label] for label in LABELS)
        for label in LABELS:
            assert after.scores[label] / left == pytest.approx(before.scores[label], abs=1e-6)


def test_new_labels_are_found_and_articles_left_alone(extended):
    classifier = Classifier(extended.bundle)
    found = classifier.predict(["Der Rat tagt am Montag.", "Jetzt unseren kostenlosen Newsletter bestellen!"])
    assert [paragraph.label for paragraph in found] == ["content", "newsletter"]
    assert not {paragraph.label for paragraph in classifier.predict(ARTICLE)} & {*NEW[:2]}
    assert extended.macro_f1 > 0.65 and extended.measured_on == 160
    thresholds = classifier.decider.thresholds[Mode.CAREFUL]
    shipped = load_bundle(SHIPPED).thresholds[Mode.CAREFUL]
    assert {label: thresholds[label] for label in LABELS} == shipped
    assert {*NEW} <= thresholds.keys()


def test_every_command_takes_it(extended, tmp_path):
    from typer.testing import CliRunner

    path = tmp_path / "a.txt"
    path.write_text("Der Rat tagt.\nJetzt unseren kostenlosen Newsletter bestellen!\n", encoding="utf-8")
    model = ["--model", str(extended.bundle)]
    done = CliRunner().invoke(app, ["predict", str(path), "--format", "csv", *model])
    assert done.exit_code == 0 and "newsletter" in done.output
    done = CliRunner().invoke(app, ["clean", str(path), *model])
    assert done.output == "Der Rat tagt.\n"
    done = CliRunner().invoke(app, ["info", "--json", *model])
    facts = json.loads(done.output)
    assert facts["labels"] == [*LABELS, *NEW] and f"{EXTENSION}/ngrams.npz" in facts["files"]


@pytest.mark.usefixtures("few_pages")
def test_rows_with_the_models_own_labels_are_examples_of_something_else(rows, tmp_path):
    own = [
        Row(f"Jetzt {i} Monate Zeitung lesen für {i} Euro", "subscription_appeal", f"s: row {i}")
        for i in range(12)
    ]
    result = train([*rows, *own], tmp_path / "mine", options=QUICK)
    assert result.labels == ("content", *NEW)


def test_what_cannot_be_extended(rows, extended, tmp_path):
    with pytest.raises(DataError, match="has labels added to it already"):
        train(rows, tmp_path / "a", options=TrainOptions(extend=True, base=str(extended.bundle)))
    own = [Row(row.text, "content" if i % 2 else "donation_request", row.where) for i, row in enumerate(rows)]
    with pytest.raises(DataError, match="no row has a label that de-news-small lacks"):
        train(own, tmp_path / "a", options=QUICK)
    with pytest.raises(DataError, match="leave out --keep-label"):
        kept = [Row(row.text, row.label.replace("content", "text"), row.where) for row in rows]
        train(kept, tmp_path / "a", options=TrainOptions(extend=True, encoder=False, keep_label="text"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("few_pages")
def test_a_single_new_label_is_enough(rows, tmp_path):
    only = [row for row in rows if row.label == "author_bio"]
    result = train(only, tmp_path / "mine", options=QUICK)
    assert result.labels == ("content", "author_bio")
    assert Classifier(result.bundle).labels == (*LABELS, "author_bio")


def test_rehearsal_pages_leave_out_what_looks_like_a_new_label(rows):
    examples = [row.text for row in rows if row.label == "newsletter"]
    learnt, appeals = rehearsal(examples, "content", 0)
    assert [len(page) for page in learnt] == [len(part) for part in appeals]
    assert 0.05 < sum(map(sum, appeals)) / sum(map(len, appeals)) < 0.5
    assert len(learnt) == PAGES == len({page.page for page in learnt})
    pairs = [pair for page in learnt for pair in zip(page.texts, page.labels, strict=True)]
    left_out = [text for text, label in pairs if label == "?"]
    assert 0.003 < len(left_out) / len(pairs) <= 0.05
    about = sum("newsletter" in text.lower() for text in left_out) / len(left_out)
    assert about > 10 * sum("newsletter" in text.lower() for text, _ in pairs) / len(pairs)


def _edit(path, change):
    value = json.loads((path / MANIFEST).read_text())
    value.pop("digest", None)
    change(value)
    (path / MANIFEST).write_text(json.dumps(value))


def test_an_entry_that_is_none(copy):
    _edit(copy, lambda value: value.update(extension={"sha256": "0"}))
    with pytest.raises(BundleFormatError, match="malformed"):
        load_bundle(copy)


def test_ngrams_alone_make_a_bundle_like_any_other(rows, tmp_path):
    result = train(rows, tmp_path / "mine", options=TrainOptions(encoder=False))
    assert result.macro_f1 > 0.7 and result.baseline_macro_f1 > 0.7  # without and with the chain
    assert sorted(path.name for path in result.bundle.iterdir()) == ["README.md", MANIFEST, "ngrams.npz"]
    document = Classifier(result.bundle).predict("Unser Newsletter kommt jeden Montag kostenlos zu Ihnen.")
    assert document[0].raw_label == "newsletter"
    _edit(result.bundle, lambda value: value.update(ngram_weight=0.0))
    with pytest.raises(BundleFormatError, match="neither an encoder nor an n-gram model"):
        load_bundle(result.bundle)
