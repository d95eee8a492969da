"""``bundle.json`` by itself: what it must hold, what it may lack, and where each number's range ends."""

import json
from dataclasses import fields, replace

import pytest

from boilerplate_clf.bundle.manifest import Manifest
from boilerplate_clf.errors import BundleFormatError, BundleIntegrityError

from .conftest import SHIPPED

TEXT = (SHIPPED / "bundle.json").read_text(encoding="utf-8")
OPTIONAL = {"ngram_weight", "precision", "extension", "cascade", "provenance"}


def read(change=lambda value: None):
    """Read the shipped manifest after a change, and without its digest."""
    value = json.loads(TEXT)
    value.pop("digest")
    change(value)
    return Manifest.from_json(json.dumps(value))


def refused(change, message):
    with pytest.raises(BundleFormatError, match=message):
        read(change)


def put(path, number):
    """Return a change that puts a number where dots lead."""
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]

    def change(value):
        for part in way:
            value = value[part]
        value[last] = number

    return change


def alone(value):
    """Make it the manifest of an n-gram model without an encoder."""
    value.update(windows=None, cascade=None, files={"ngrams.npz": value["files"]["ngrams.npz"]})


def test_it_is_written_as_it_was_read():
    assert Manifest.from_json(TEXT).to_json() == TEXT
    assert read() == Manifest.from_json(TEXT)
    umlauts = replace(read(), name="Lädchen", provenance={"ä": [1, {"b": None}]})
    assert '"Lädchen"' in umlauts.to_json() and Manifest.from_json(umlauts.to_json()) == umlauts


@pytest.mark.parametrize("name", [item.name for item in fields(Manifest)])
def test_what_it_may_lack(name):
    def without(value):
        if name == "ngram_weight":  # the cascade takes it
            value["cascade"] = None
        value.pop(name)

    if name not in OPTIONAL:
        refused(without, f"lacks {name}|format version None")
        return
    empty = {"ngram_weight": 0.0, "extension": None, "cascade": None}
    assert getattr(read(without), name) == empty.get(name, {})


@pytest.mark.parametrize(
    ("path", "good", "bad", "message"),
    [
        ("thresholds.careful.content", (0, 1), (-0.01, 1.01), "thresholds must lie between 0 and 1"),
        ("thresholds.careful.content", (), (10**400,), "malformed field: int too large"),
        ("precision.comment_policy.0.0", (0, 1), (-0.01, 1.01), "'precision' must lie between 0 and 1"),
        ("precision.comment_policy.0.1", (0, 1), (-0.01, 1.01), "'precision' must lie between 0 and 1"),
        ("ngram_weight", (0.01, 1000), (-0.01, 1000.5), "'ngram_weight' must lie"),
        ("chain.temperature", (0.001, 1000), (0.0009, 1000.5, 0), r"'chain\.temperature' must be"),
        ("chain.bias.3", (-50, 50), (-50.5, 50.5), "'chain' has a weight beyond"),
        ("chain.transitions.3.3", (-50, 50), (-50.5, 50.5), "'chain' has a weight beyond"),
        ("chain.bias", ([],), ([1.0], [1.0] * 5), "'chain' must have a weight for each label"),
        ("chain.transitions", ([],), ([[1.0]], [[1.0] * 4] * 3, [[1.0] * 3] * 4), "'chain' must have"),
        ("cascade.chain.bias.3", (50,), (50.5,), r"'cascade\.chain' has a weight beyond"),
        ("cascade.least_doubt", (0, 1), (-0.01, 1.01), r"'cascade\.least_doubt' must lie"),
        ("cascade.context", (0, 1000), (-1, 1001, True, 2.0), r"'cascade\.context' must lie"),
        ("cascade.context_head", (0, 1000), (-1, 1001, True), r"'cascade\.context_head' must lie"),
        ("cascade.context_tail", (0, 1000), (-1, 1001, True), r"'cascade\.context_tail' must lie"),
        ("cascade.wide_context", (0, 1000), (-1, 1001, True), r"'cascade\.wide_context' must lie"),
        ("cascade.wide_doubt", (0, 1), (-0.01, 1.01), r"'cascade\.wide_doubt' must lie"),
        ("cascade.wide_doubt", (), (True, "0.3", None), "malformed field: a (bool|str|NoneType) where a num"),
        ("cascade.wide_columns", ([], [1, 3]), ([0], [1, 1], [4], [1.0]), r"'cascade\.wide_columns' must be"),
        ("cascade.wide_columns", (), ({}, "", "2", 3, None), "malformed field: wide_columns must be a list"),
        ("chain.temperature", (), (True, "1.5", [1.5]), "malformed field: a (bool|str|list) where a number"),
        ("thresholds.careful.content", (), (True, "0.5"), "malformed field: a (bool|str) where a number"),
        ("cascade.ngram_weight", (0.01, 1000), (0, 1000.5), r"'cascade\.ngram_weight' must lie"),
        ("windows.window_tokens", (16_384,), (16_385,), "more than 16,384 tokens"),
        ("windows.pad_id", (0, 2**31 - 1), (-1, 2**31, True, 1.0), "whole numbers, not negative"),
        ("files.model.onnx", (), (3, {}, {"sha256": "0"}, {"size": 3}), "malformed field"),
        ("name", ("x",), ("", 3, None), "malformed field: name must be a non-empty string"),
        ("version", ("1",), ("", 1.0), "malformed field: version must be a non-empty string"),
        ("labels.3", ("other",), ("", 3), "malformed field: labels must be a list of non-empty strings"),
        ("labels.1", (), ("content",), "at least two different names"),
    ],
)
def test_the_ends_of_each_range(path, good, bad, message):
    if path == "files.model.onnx":  # a key with a dot
        for value in bad:
            refused(lambda m, value=value: m["files"].update({"model.onnx": value}), message)
        return
    for value in good:
        change = put(path, value)
        if path == "labels.3":  # whose thresholds go with it
            read(lambda m, change=change: (m.update(thresholds={"careful": {}, "balanced": {}}, precision={}),
                                           change(m)))  # fmt: skip
        else:
            read(change)
    for value in bad:
        refused(put(path, value), message)


ALLOWED = ["a", "Z", "0", "9", "_", "Az09_.-", "Model.onnx", "5a", "aM5m", "a..b", "x" * 100]
NOT_ALLOWED = ["", ".", "..", ".a", "-a", "a/b", "/a", "a\\b", "C:a", ":a", "a b", "ä", "a\n", "x" * 101]


@pytest.mark.parametrize("name", ALLOWED)
def test_file_names(name):
    assert name in read(lambda m: m["files"].update({name: m["files"]["model.onnx"]})).files


@pytest.mark.parametrize("name", [*NOT_ALLOWED, "bundle.json", "README.md", "extension"])
def test_file_names_that_are_not_allowed(name):
    refused(lambda m: m["files"].update({name: m["files"]["model.onnx"]}), "is not allowed")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "ngrams.npz"])
def test_files_that_are_needed(name):
    refused(lambda m: m["files"].pop(name), f"'files' lacks {name}")


def test_models_of_one_kind():
    assert read(alone).windows is None
    encoder = read(lambda m: (m.update(ngram_weight=0, cascade=None), m["files"].pop("ngrams.npz")))
    assert encoder.windows is not None and set(encoder.files) == {"model.onnx", "tokenizer.json"}
    refused(lambda m: (alone(m), m.update(ngram_weight=0)), "neither an encoder nor an n-gram model")
    for change in ({"windows": None}, {"ngram_weight": 0}):
        refused(lambda m, change=change: m.update(change), "'cascade' takes both")


def test_an_extension_is_listed():
    entry = {"sha256": "ab", "size": 7}
    found = read(lambda m: m.update(extension=entry)).extension
    assert (found.sha256, found.size) == ("ab", 7)
    refused(lambda m: m.update(extension={"sha256": "ab"}), "malformed field")


def test_what_is_no_manifest_of_this_release():
    for text in ("[]", "3", "null", '"x"'):
        with pytest.raises(BundleFormatError, match="not an object"):
            Manifest.from_json(text)
    refused(lambda m: m.update(format_version=4), "has format version 4, this release reads 3")
    refused(lambda m: m.update(colour="red", shape=1), "has unknown fields colour, shape")
    altered = json.loads(TEXT)
    altered["ngram_weight"] = 2.0
    with pytest.raises(BundleIntegrityError, match="its digest is not that of its contents"):
        Manifest.from_json(json.dumps(altered))


def test_what_is_not_given_is_not_there():
    good = read()
    needed = {item.name: getattr(good, item.name) for item in fields(Manifest) if item.name not in OPTIONAL}
    empty = {"precision": {}, "provenance": {}, "ngram_weight": 0, "extension": None, "cascade": None}
    assert Manifest(**needed) == replace(good, **empty)


def test_labels_must_be_known_and_two():
    def two(m):
        m.update(
            labels=["content", "other"],
            thresholds={"careful": {}, "balanced": {"other": 0.5}},
            precision={},
            cascade=None,
            chain={"temperature": 1, "transitions": [], "bias": []},
        )

    assert read(two).labels == ("content", "other")
    refused(lambda m: (two(m), m.update(labels=["content"])), "at least two different names")
    refused(lambda m: (two(m), m.update(keep_label="kept")), "keep_label 'kept' is not a label")
    refused(lambda m: (two(m), m.update(precision={"third": []})), r"precision of unknown labels \['third'\]")
    refused(lambda m: (two(m), m["thresholds"].update(careful={"third": 1})), r"unknown labels \['third'\]")
    refused(lambda m: (two(m), m["thresholds"].pop("careful")), "no thresholds for careful")
