"""Loading bundles: every damage has its own error, and nothing of a damaged one runs."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from boilerplate_clf.bundle import find_bundle, load_bundle
from boilerplate_clf.bundle.manifest import Manifest
from boilerplate_clf.errors import (
    BundleFormatError,
    BundleIntegrityError,
    BundleNotFoundError,
)

from .conftest import SHIPPED

pytestmark = pytest.mark.usefixtures("nothing_runs")


def test_the_shipped_bundle_is_small_and_whole():
    bundle = load_bundle(SHIPPED)
    assert len(bundle.model) <= 15e6
    assert bundle.manifest.provenance["dev"]
    assert (SHIPPED / "README.md").exists()


def test_manifest_round_trip():
    text = (SHIPPED / "bundle.json").read_text(encoding="utf-8")
    assert Manifest.from_json(Manifest.from_json(text).to_json()) == Manifest.from_json(text)


def test_one_set_of_files_two_manifests():
    fast, accurate = load_bundle(find_bundle("fast")), load_bundle(find_bundle("accurate"))
    assert (fast.path, accurate.path) == (SHIPPED, SHIPPED)
    assert accurate.manifest_path == SHIPPED / "accurate.json"
    assert accurate.manifest.files == fast.manifest.files
    assert accurate.manifest.labels == fast.manifest.labels
    assert accurate.manifest.cascade is None is not fast.manifest.cascade
    assert accurate.manifest.name == f"{fast.manifest.name}-accurate"
    assert accurate.manifest.thresholds != fast.manifest.thresholds
    assert (
        load_bundle(SHIPPED / "bundle.json").manifest == load_bundle(find_bundle()).manifest == fast.manifest
    )


def test_a_folder_of_ones_own_is_found_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "accurate").mkdir()
    assert find_bundle(tmp_path / "accurate") == tmp_path / "accurate"
    assert find_bundle("accurate") == find_bundle(Path("accurate")) == SHIPPED / "accurate.json"
    assert find_bundle("elsewhere") == Path("elsewhere")


def test_the_second_manifest_is_verified_when_it_is_read(bundle, tmp_path):
    path = bundle / "accurate.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace('"temperature": ', '"temperature": 1'), encoding="utf-8")
    assert load_bundle(bundle).manifest_name == "bundle.json"
    with pytest.raises(BundleIntegrityError, match=r"accurate\.json: altered: its digest"):
        load_bundle(path)
    path.write_text(whole, encoding="utf-8")
    (bundle / "ngrams.npz").write_bytes(b"")
    with pytest.raises(BundleIntegrityError, match=r"ngrams\.npz: 0 bytes, but accurate\.json says"):
        load_bundle(path)
    path.unlink()
    (tmp_path / "other.json").write_text(whole, encoding="utf-8")
    path.symlink_to(tmp_path / "other.json")
    with pytest.raises(BundleIntegrityError, match="a link"):
        load_bundle(path)
    path.unlink()
    with pytest.raises(BundleNotFoundError, match="no such"):
        load_bundle(path)
    with pytest.raises(BundleNotFoundError, match="no such folder"):
        load_bundle(tmp_path / "other.json")  # no name of a manifest


def test_no_folder_and_no_manifest(tmp_path):
    with pytest.raises(BundleNotFoundError, match="no such folder"):
        load_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleNotFoundError, match=r"no bundle\.json"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "ngrams.npz"])
def test_altered_and_missing_files(bundle, name):
    path = bundle / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleIntegrityError, match="altered"):
        load_bundle(bundle)
    path.write_bytes(bytes(data) + b" ")
    with pytest.raises(BundleIntegrityError, match="bytes"):
        load_bundle(bundle)
    path.unlink()
    with pytest.raises(BundleIntegrityError, match="missing"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["bundle.json", "tokenizer.json", "model.onnx"])
def test_a_link_is_refused(bundle, tmp_path, name):
    (bundle / name).rename(tmp_path / "elsewhere")
    (bundle / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleIntegrityError, match=f"{name}: a link"):
        load_bundle(bundle)


@given(st.data())
@settings(max_examples=200)
def test_a_byte_of_the_manifest_altered_is_refused_or_changes_nothing(data):
    good = (SHIPPED / "bundle.json").read_bytes()
    altered = bytearray(good)
    altered[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        text = altered.decode("utf-8")
    except UnicodeDecodeError:
        return
    with contextlib.suppress(BundleFormatError, BundleIntegrityError):
        assert Manifest.from_json(text) == Manifest.from_json(good.decode())


def test_a_threshold_altered_is_refused(bundle):
    path = bundle / "bundle.json"
    value = json.loads(path.read_text())
    value["thresholds"]["balanced"]["comment_policy"] = 0.025
    path.write_text(json.dumps(value))
    with pytest.raises(BundleIntegrityError, match=r"bundle\.json: altered"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "extension", "model.onnx.data"])
def test_what_the_manifest_does_not_list_is_refused(bundle, name):
    (bundle / name).mkdir() if name == "extension" else (bundle / name).write_text("x")
    with pytest.raises(BundleIntegrityError, match=f"holds {name}, which"):
        load_bundle(bundle)


def test_oversized_files_are_refused_unread(bundle, edit_manifest, monkeypatch):
    with (bundle / "model.onnx").open("r+b") as stream:
        stream.truncate(2**30)  # sparse
    edit_manifest(lambda m: m["files"]["model.onnx"].update(size=2**30))
    with pytest.raises(BundleIntegrityError, match="larger than 536,870,912 bytes"):
        load_bundle(bundle)
    with (bundle / "bundle.json").open("r+b") as stream:
        stream.truncate(2**21)
    with pytest.raises(BundleIntegrityError, match=r"bundle\.json: larger than"):
        load_bundle(bundle)


def test_files_that_cannot_be_read_are_named(bundle, monkeypatch):
    reading = Path.open

    def refuse(self, *arguments, **keywords):
        if self.name == "model.onnx":
            raise PermissionError(13, "Permission denied", str(self))
        return reading(self, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BundleIntegrityError, match=r"model\.onnx: cannot be read: Permission denied"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format_version=99), "format version 99"),
        (lambda m: m.pop("labels"), "lacks labels"),
        (lambda m: m.update(colour="red"), "unknown fields colour"),
        (lambda m: m.update(keep_label="other"), "not a label"),
        (lambda m: m.update(labels=["content", "content"]), "different names"),
        (lambda m: m.update(labels=["content"]), "at least two"),
        (lambda m: m.update(labels="content"), "malformed field: labels"),
        (lambda m: m.update(labels=["content", 3]), "malformed field: labels"),
        (lambda m: m["chain"].update(temperature=1e-310), "positive"),
        (lambda m: m.update(ngram_weight=1e300), "ngram_weight"),
        (lambda m: m["precision"].update(content=[[float("nan"), 1]]), "between 0 and 1"),
        (lambda m: m["windows"].update(cls_id="2"), "whole numbers"),
        (lambda m: m["windows"].update(marker_id=-5), "whole numbers"),
        (lambda m: m["windows"].update(window_tokens=384.5), "whole numbers"),
        (lambda m: m["windows"].update(window_tokens=10**6), "more than 16,384 tokens"),
        (lambda m: m["windows"].update(size=1), "malformed"),
        (lambda m: m["files"].update({"x" * 300: m["files"]["model.onnx"]}), "not allowed"),
        (lambda m: m["files"].update({"README.md": m["files"]["model.onnx"]}), "not allowed"),
        (lambda m: m["files"].update({"C:x": m["files"]["model.onnx"]}), "not allowed"),
        (lambda m: m["chain"].update(temperature=0), "positive"),
        (lambda m: m["chain"].update(temperature="hot"), "malformed"),
        (lambda m: m["chain"].pop("bias"), "malformed"),
        (lambda m: m["chain"].update(bias=[1.0]), "a weight for each label"),
        (lambda m: m["chain"]["transitions"].pop(), "a weight for each label"),
        (lambda m: m["chain"]["transitions"][0].__setitem__(0, 1e9), "a weight beyond"),
        (lambda m: m["chain"]["transitions"][0].__setitem__(0, float("nan")), "a weight beyond"),
        (lambda m: m["cascade"].update(least_doubt=1.5), "least_doubt"),
        (lambda m: m["cascade"].update(least_doubt="much"), "malformed"),
        (lambda m: m["cascade"].update(ngram_weight=None), "malformed"),
        (lambda m: m["cascade"].update(context=-1), "cascade.context"),
        (lambda m: m["cascade"].update(context_head=2.5), "cascade.context_head"),
        (lambda m: m["cascade"].update(context_tail=10**9), "cascade.context_tail"),
        (lambda m: m["cascade"].update(ngram_weight=0), "cascade.ngram_weight"),
        (lambda m: m["cascade"].update(wide_columns=[4]), "cascade.wide_columns"),
        (lambda m: m["cascade"].update(wide_columns=[2, 2]), "cascade.wide_columns"),
        (lambda m: m["cascade"].update(wide_columns=[True]), "cascade.wide_columns"),
        (lambda m: m["cascade"].update(wide_columns=[[2]]), "cascade.wide_columns"),
        (lambda m: m["cascade"].update(wide_columns=[0]), "cascade.wide_columns"),
        (lambda m: m["cascade"].update(wide_columns={}), "malformed"),
        (lambda m: m["cascade"].update(wide_columns=["donation_request"]), "cascade.wide_columns"),
        (lambda m: m["cascade"].update(wide_columns=3), "malformed"),
        (lambda m: m["cascade"]["chain"].update(temperature=-1), "cascade.chain"),
        (lambda m: m["cascade"].update(colour="red"), "malformed"),
        (lambda m: m["cascade"].pop("chain"), "malformed"),
        (lambda m: m.update(ngram_weight=0), "takes both"),
        (lambda m: m["thresholds"]["careful"].update(content=1.5), "between 0 and 1"),
        (lambda m: m["thresholds"]["careful"].update(other=0.5), "unknown labels"),
        (lambda m: m["thresholds"].pop("balanced"), "no thresholds for balanced"),
        (lambda m: m["thresholds"].update(careful=3), "malformed"),
        (lambda m: m["precision"].update(other=[]), "precision of unknown labels"),
        (lambda m: m["precision"].update(content=[1]), "malformed"),
        (lambda m: m.update(ngram_weight=-1), "ngram_weight"),
        (lambda m: m["files"].pop("ngrams.npz"), "lacks ngrams.npz"),
        (lambda m: m["windows"].pop("cls_id"), "malformed"),
        (lambda m: m["windows"].update(window_tokens=10), "too small"),
        (lambda m: m["files"].pop("model.onnx"), r"lacks model\.onnx"),
        (lambda m: m["files"].update({"../x": m["files"]["model.onnx"]}), "not allowed"),
        (lambda m: m.update(name=""), "malformed"),
    ],
)
def test_malformed_manifests(edit_manifest, change, message):
    folder = edit_manifest(change)
    with pytest.raises(BundleFormatError, match=message) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '"x"', "[" * 10**5, '{"digest":' * 10**5])
def test_manifest_that_is_no_object(bundle, text):
    (bundle / "bundle.json").write_text(text)
    with pytest.raises(BundleFormatError):
        load_bundle(bundle)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
@example({"digest": None})
def test_any_json_is_refused_with_our_error(value):
    with pytest.raises((BundleFormatError, BundleIntegrityError)):
        Manifest.from_json(json.dumps(value))
