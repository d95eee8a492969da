"""Bundles with an extension, made by hand: what does not fit is refused before anything runs."""

import json
import shutil

import numpy as np
import pytest

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.errors import BundleError, BundleFormatError, BundleIntegrityError
from boilerplate_clf.files import sha256_file
from boilerplate_clf.inference.ngrams import NgramScorer
from boilerplate_clf.inference.scorer import _extend

from .conftest import list_anew

pytestmark = pytest.mark.usefixtures("nothing_runs")
LABELS = ["content", "newsletter"]


def edit(folder, change):
    path = folder / "bundle.json"
    value = json.loads(path.read_text())
    value.pop("digest", None)
    change(value)
    path.write_text(json.dumps(value))


def accept(bundle):
    """Make the outer manifest list the inner one as it is now."""
    inner = bundle / "extension" / "bundle.json"
    entry = {"sha256": sha256_file(inner), "size": inner.stat().st_size}
    edit(bundle, lambda value: value.update(extension=entry))


@pytest.fixture
def extended(bundle):
    """The shipped bundle with a label more, which a paragraph never has: its n-gram model knows no n-gram."""
    inner = bundle / "extension"
    inner.mkdir()
    shutil.copy(bundle / "bundle.json", inner)
    empty = NgramScorer(np.zeros(0, np.uint32), np.zeros((0, 3), np.float16), np.asarray([4.0, -4.0]))
    (inner / "ngrams.npz").write_bytes(empty.to_bytes())

    def change(value):
        value.update(labels=LABELS, windows=None, files={}, ngram_weight=1.0, name="mine")
        value.update(
            chain={"temperature": 1.0, "transitions": [], "bias": []},
            precision={"newsletter": [[0.5, 1]]},
            cascade=None,
        )
        value["thresholds"] = {
            "careful": {"newsletter": 0.9, "content": 0.3},
            "balanced": {"newsletter": 0.6},
        }

    edit(inner, change)
    list_anew(inner, "ngrams.npz")
    accept(bundle)
    return bundle


@pytest.mark.may_run
def test_it_adds_its_labels(extended):
    bundle = load_bundle(extended)
    assert bundle.labels[-1] == "newsletter" and len(bundle.labels) == 5
    assert bundle.thresholds["careful"]["newsletter"] == 0.9
    # What the extension thinks of the label that both keep has no say.
    assert bundle.thresholds["careful"]["content"] == 0.0 and bundle.precision["newsletter"] == ((0.5, 1.0),)
    (paragraph,) = Classifier(extended).predict(["Der Rat tagt am Montag im Rathaus."])
    assert paragraph.label == "content" and paragraph.scores["newsletter"] == 0.0


def test_a_doubt_that_leads_to_nothing_moves_no_label():
    base, extension = (
        np.asarray([[0.1, 0.9]] * 4),
        np.asarray([[0.6, 0.4], [0.2, 0.8], [0.5, 0.5], [1.0, 0.0]]),
    )
    joined = _extend(base, extension, 0, np.asarray([0.0, 0.5]))
    assert joined.tolist() == [
        [0.1, 0.9, 0.0],
        pytest.approx([0.02, 0.18, 0.8]),
        [0.05, 0.45, 0.5],
        [0.1, 0.9, 0.0],
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(keep_label="newsletter"), "keep different labels"),
        (lambda v: v.update(extension=v["files"]["ngrams.npz"]), "cannot have an extension itself"),
        (lambda v: v.update(labels=["content", "donation_request"], precision={},
                            thresholds={"careful": {}, "balanced": {}}), "there already"),
        (lambda v: v.update(format_version=2), "format version 2"),
    ],
)  # fmt: skip
def test_extensions_that_do_not_fit(extended, change, message):
    edit(extended / "extension", change)
    accept(extended)
    with pytest.raises(BundleFormatError, match=message):
        load_bundle(extended)


def test_an_altered_extension(extended):
    edit(extended / "extension", lambda value: value.update(ngram_weight=2.0))
    with pytest.raises(BundleIntegrityError, match=r"extension/bundle\.json"):
        load_bundle(extended)


def test_a_file_more_or_less_in_the_extension(extended):
    (extended / "extension" / "notes.txt").write_text("x")
    with pytest.raises(BundleIntegrityError, match=r"holds notes\.txt"):
        load_bundle(extended)
    (extended / "extension" / "notes.txt").unlink()
    (extended / "extension" / "ngrams.npz").unlink()
    with pytest.raises(BundleIntegrityError, match=r"ngrams\.npz: missing"):
        load_bundle(extended)


def test_a_missing_extension_a_link_and_a_file(extended, tmp_path):
    shutil.move(extended / "extension", tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="no such folder"):
        load_bundle(extended)
    (extended / "extension").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleIntegrityError, match="a link"):
        load_bundle(extended)
    (extended / "extension").unlink()
    (extended / "extension").write_text("x")
    with pytest.raises(BundleError, match="no such folder"):
        load_bundle(extended)


def test_an_extension_that_is_not_listed(extended):
    edit(extended, lambda value: value.pop("extension"))
    with pytest.raises(BundleIntegrityError, match="holds extension"):
        load_bundle(extended)
