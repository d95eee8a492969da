"""Loading bundles: every damage has its own error."""

import contextlib
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.bundle.manifest import Manifest
from boilerplate_clf.bundle.onnx_safety import check_onnx
from boilerplate_clf.errors import (
    BundleError,
    BundleFormatError,
    BundleIntegrityError,
    BundleNotFoundError,
    UnsafeModelError,
)
from boilerplate_clf.files import sha256_bytes

from .conftest import SHIPPED


def test_the_shipped_bundle_is_small_and_whole():
    bundle = load_bundle(SHIPPED)
    assert len(bundle.model) <= 15e6
    assert bundle.manifest.provenance["dev"]
    assert (SHIPPED / "README.md").exists()


def test_manifest_round_trip():
    text = (SHIPPED / "bundle.json").read_text(encoding="utf-8")
    assert Manifest.from_json(Manifest.from_json(text).to_json()) == Manifest.from_json(text)


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


def test_a_link_out_of_the_bundle_is_refused(bundle, tmp_path):
    (bundle / "tokenizer.json").rename(tmp_path / "elsewhere.json")
    (bundle / "tokenizer.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(BundleIntegrityError, match="leads out"):
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
        (lambda m: m["chain"].update(temperature=0), "positive"),
        (lambda m: m["chain"].update(temperature="hot"), "malformed"),
        (lambda m: m["chain"].pop("bias"), "malformed"),
        (lambda m: m["chain"].update(bias=[1.0]), "a weight for each label"),
        (lambda m: m["chain"]["transitions"].pop(), "a weight for each label"),
        (lambda m: m["chain"]["transitions"][0].__setitem__(0, 1e9), "a weight beyond"),
        (lambda m: m["chain"]["transitions"][0].__setitem__(0, float("nan")), "a weight beyond"),
        (lambda m: m["cascade"].update(least_doubt=1.5), "least_doubt"),
        (lambda m: m["cascade"].update(context=-1), "cascade.context"),
        (lambda m: m["cascade"].update(context_head=2.5), "cascade.context_head"),
        (lambda m: m["cascade"].update(context_tail=10**9), "cascade.context_tail"),
        (lambda m: m["cascade"].update(ngram_weight=0), "cascade.ngram_weight"),
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


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '"x"'])
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
def test_any_json_is_refused_with_our_error(value):
    with pytest.raises(BundleFormatError):
        Manifest.from_json(json.dumps(value))


def replace_model(bundle, data):
    (bundle / "model.onnx").write_bytes(data)
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["files"]["model.onnx"] = {"sha256": sha256_bytes(data), "size": len(data)}
    (bundle / "bundle.json").write_text(json.dumps(manifest))


def test_a_file_that_is_no_onnx(bundle):
    replace_model(bundle, b"\xff" * 100)
    with pytest.raises(UnsafeModelError, match="not an ONNX file"):
        Classifier(bundle)
    replace_model(bundle, b"")
    with pytest.raises(BundleError):
        Classifier(bundle)


def field(number, payload):
    def varint(value):
        out = b""
        while value > 0x7F:
            out += bytes([value & 0x7F | 0x80])
            value >>= 7
        return out + bytes([value])

    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


EXTERNAL = field(14, 1)
ENTRY = field(13, field(1, b"location") + field(2, b"/etc/passwd"))


@pytest.mark.parametrize(
    "model",
    [
        field(7, field(5, EXTERNAL)),  # initializer
        field(7, field(5, ENTRY)),
        field(7, field(15, field(1, ENTRY))),  # sparse initializer
        field(7, field(1, field(5, field(5, EXTERNAL)))),  # constant in a node
        field(7, field(1, field(5, field(6, field(5, ENTRY))))),  # in a subgraph
        field(20, field(1, field(5, ENTRY))),  # training graph
        field(25, field(7, field(5, field(5, ENTRY)))),  # function
    ],
)
def test_external_data_is_refused_wherever_it_stands(model):
    with pytest.raises(UnsafeModelError, match="outside the file"):
        check_onnx(model, "x")


def test_external_data_written_by_onnx_itself(tmp_path):
    onnx = pytest.importorskip("onnx")
    import numpy as np

    tensor = onnx.numpy_helper.from_array(np.ones((40, 40), np.float32), "w")
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "g", [value("x", 1, [1, 40])], [value("y", 1, [1, 40])], [tensor])
    model = onnx.helper.make_model(graph)
    check_onnx(model.SerializeToString(), "inside")
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(UnsafeModelError, match="outside the file"):
        check_onnx((tmp_path / "m.onnx").read_bytes(), "external")


def test_foreign_operators_are_refused():
    check_onnx(field(8, field(1, b"com.microsoft")), "x")
    with pytest.raises(UnsafeModelError, match="evil"):
        check_onnx(field(8, field(1, b"evil")), "x")
    with pytest.raises(UnsafeModelError, match="evil"):
        check_onnx(field(7, field(1, field(7, b"evil"))), "x")


def test_deep_nesting_is_refused():
    graph = b""
    for _ in range(100):
        graph = field(1, field(5, field(6, graph)))
    with pytest.raises(UnsafeModelError, match="nested"):
        check_onnx(field(7, graph), "x")


@given(st.binary())
def test_any_bytes_pass_or_are_refused(data):
    with contextlib.suppress(UnsafeModelError):
        check_onnx(data, "x")


def test_wrong_number_of_labels(edit_manifest):
    def more(manifest):
        manifest["labels"].append("fifth")
        manifest["chain"].update(transitions=[], bias=[])
        manifest["cascade"] = None

    with pytest.raises(BundleFormatError, match="not for 5 labels"):
        Classifier(edit_manifest(more))

    def without_ngrams(manifest):
        manifest["ngram_weight"] = 0

    folder = edit_manifest(without_ngrams)
    with pytest.raises(BundleFormatError, match="shape"):
        Classifier(folder).predict("Text.")


def test_fixed_width_fields_are_skipped():
    check_onnx(struct.pack("<B4sB8s", 13, b"abcd", 17, b"abcdefgh"), "x")
