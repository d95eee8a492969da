"""Loading bundles: every damage has its own error, and nothing of a damaged one runs."""

import contextlib
import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.bundle.manifest import Manifest
from boilerplate_clf.bundle.onnx_safety import check_onnx, output_width
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


@pytest.fixture(autouse=True)
def no_session(monkeypatch, request):
    """Fail where a session is opened, except in tests that say so."""
    if "may_run" not in request.keywords:
        monkeypatch.setattr(onnxruntime.InferenceSession, "__init__", lambda *_, **__: pytest.fail("it ran"))


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
    path.write_text(path.read_text().replace("0.725", "0.025"))
    with pytest.raises(BundleIntegrityError, match=r"bundle\.json is altered"):
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
def test_any_json_is_refused_with_our_error(value):
    with pytest.raises(BundleFormatError):
        Manifest.from_json(json.dumps(value))


def list_anew(bundle, name):
    """Make the manifest list a file as it is now."""
    data = (bundle / name).read_bytes()
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest.pop("digest", None)
    manifest["files"][name] = {"sha256": sha256_bytes(data), "size": len(data)}
    (bundle / "bundle.json").write_text(json.dumps(manifest))


def replace_model(bundle, data):
    (bundle / "model.onnx").write_bytes(data)
    list_anew(bundle, "model.onnx")


def test_a_file_that_is_no_onnx(bundle):
    for data in (b"\xff" * 100, b"\x12\x80\x80\x01ORTM"):
        replace_model(bundle, data)
        with pytest.raises(UnsafeModelError, match="not an ONNX file"):
            Classifier(bundle)


@pytest.mark.may_run
def test_an_onnx_file_without_a_graph(bundle):
    replace_model(bundle, b"")
    with pytest.raises(BundleError):
        Classifier(bundle)


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, payload, beyond=0):
    """Encode a field; with ``beyond``, its key has bits that protobuf's own reader drops."""
    if isinstance(payload, int):
        return varint(number << 3 | beyond) + varint(payload)
    return varint(number << 3 | 2 | beyond) + varint(len(payload)) + payload


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
        field(25, field(11, field(5, ENTRY))),  # default of a function's attribute
        field(7, field(1, field(5, field(11, field(1, field(5, field(10, ENTRY))))))),  # nested subgraphs
        field(7, field(1, field(5, field(22, field(2, ENTRY))))),  # sparse attribute
        field(7, field(5, field(14, 2**32 + 1))),  # an enum of which protobuf reads 32 bits
    ],
)
def test_external_data_is_refused_wherever_it_stands(model):
    with pytest.raises(UnsafeModelError, match="outside the file"):
        check_onnx(model, "x")


def test_a_key_that_protobuf_reads_otherwise_is_refused():
    """onnxruntime 1.32 takes the disguised field for external data, and reads the file."""
    for message in (field(13, b"", beyond=2**32), field(8, field(1, b"evil"), beyond=2**34)):
        with pytest.raises(UnsafeModelError, match="not an ONNX file"):
            check_onnx(field(7, field(5, message)), "x")


def test_external_data_written_by_onnx_itself(tmp_path):
    onnx = pytest.importorskip("onnx")
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


PARTS = st.recursive(
    st.binary(max_size=12) | st.integers(0, 2**64 - 1),
    lambda inner: st.lists(st.builds(field, st.integers(0, 30), inner), max_size=4).map(b"".join),
)


@given(st.binary() | PARTS.filter(lambda part: isinstance(part, bytes)))
@example(field(7, field(12, field(2, field(1, field(2, field(1, field(1, 4))))))))
def test_any_bytes_pass_or_are_refused(data):
    with contextlib.suppress(UnsafeModelError):
        check_onnx(data, "x")
        assert output_width(data) is None or output_width(data) >= 0


def output(*dimensions):
    shape = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in dimensions)
    return field(7, field(12, field(1, b"logits") + field(2, field(1, field(1, 1) + field(2, shape)))))


def test_the_declared_number_of_scores():
    assert output_width((SHIPPED / "model.onnx").read_bytes()) == 4
    assert output_width(output(b"batch", b"slots", 7)) == 7
    for unknown in (output(4, b"labels"), output(), field(7, b""), field(7, field(12, b"")), b""):
        assert output_width(unknown) is None


def more_labels(manifest):
    manifest["labels"].append("fifth")
    manifest["chain"].update(transitions=[], bias=[])


def test_wrong_number_of_labels(edit_manifest):
    with pytest.raises(BundleFormatError, match=r"gives 4 scores a paragraph, but bundle\.json has 5 labels"):
        load_bundle(edit_manifest(more_labels))


def test_wrong_number_of_labels_of_the_ngrams(edit_manifest):
    folder = edit_manifest(more_labels)
    replace_model(folder, output(b"batch", b"slots", 5))
    with pytest.raises(BundleFormatError, match="not for 5 labels"):
        Classifier(folder)


def head(onnx, weights, declared, rows=10**5):
    """Make a model that gives each paragraph the same scores, and looks its tokens up in a table."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Unsqueeze", ["markers", "last"], ["column"]),
        helper.make_node("Cast", ["column"], ["numbers"], to=1),
        helper.make_node("Mul", ["numbers", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "weights"], ["logits"]),
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
    ]
    table = np.zeros(rows, np.float32)
    constants = {
        "table": table,
        "last": np.asarray([2]),
        "nothing": np.zeros(1, np.float32),
        "weights": weights,
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [value("input_ids", 7, ["b", "t"]), value("markers", 7, ["b", "p"])],
        [value("logits", 1, ["b", "p", declared]), value("vectors", 1, ["b", "t"])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


@pytest.mark.may_run
def test_scores_of_another_shape_or_that_are_no_numbers(bundle):
    onnx = pytest.importorskip("onnx")
    replace_model(bundle, head(onnx, np.zeros(4, np.float32), "n"))
    assert len(Classifier(bundle).predict("Ein Text.")) == 1
    replace_model(bundle, head(onnx, np.zeros(5, np.float32), "n"))  # not declared, so not seen before
    with pytest.raises(BundleFormatError, match="shape"):
        Classifier(bundle).predict("Ein Text.")
    replace_model(bundle, head(onnx, np.zeros(4, np.float32), 4, rows=1))  # fewer vectors than tokens
    with pytest.raises(BundleFormatError, match="cannot be run"):
        Classifier(bundle).predict("Ein Text.")
    for bad in (np.nan, np.inf):
        replace_model(bundle, head(onnx, np.full(4, bad, np.float32), 4))
        with pytest.raises(BundleFormatError, match="not numbers"):
            Classifier(bundle).predict("Ein Text.")


def npz(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def zipped(name, data):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return stream.getvalue()


def claims(shape):
    """Make an array file that says it is larger than it is."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


BROKEN_NGRAMS = {
    "no archive": b"PK",
    "arrays missing": npz(bias=np.zeros(4, np.float32)),
    "objects": npz(key_steps=np.asarray([{}], object), table=np.zeros(1), bias=np.zeros(4, np.float32)),
    "bomb": zipped("key_steps.npy", bytes(600 * 2**20)),
    "claims to be huge": zipped("key_steps.npy", claims("(4, 10000000000000000)")),
    "claims to be endless": zipped("key_steps.npy", claims("(4, 10000000000000000000000000)")),
    "header that is code": zipped("key_steps.npy", claims("__import__('os').getpid()")),
    "header too deep": zipped("key_steps.npy", claims("(" * 60)),
    "not a number": npz(
        key_steps=np.zeros((4, 0), np.uint8),
        table=np.zeros((2, 5, 0), np.uint8),
        bias=np.full(4, np.nan, np.float32),
    ),
}


@pytest.mark.parametrize("data", BROKEN_NGRAMS.values(), ids=BROKEN_NGRAMS)
def test_broken_ngrams_are_refused_before_the_encoder_is_opened(bundle, data):
    (bundle / "ngrams.npz").write_bytes(data)
    list_anew(bundle, "ngrams.npz")
    with pytest.raises(BundleFormatError, match=r"ngrams\.npz"):
        Classifier(bundle)


@given(st.binary(max_size=200), st.integers(0, 10**6))
@settings(max_examples=100)
def test_any_ngrams_are_read_or_refused(data, place):
    from boilerplate_clf.inference.ngrams import NgramScorer

    small = npz(
        key_steps=np.ones((4, 3), np.uint8), table=np.zeros((2, 5, 3), np.uint8), bias=np.zeros(4, np.float32)
    )
    place %= len(small)
    for damaged in (data, small[:place] + data + small[place + len(data) :]):
        with contextlib.suppress(BundleFormatError):
            NgramScorer.from_bytes(damaged, 4)


@pytest.mark.may_run
def test_a_tokenizer_that_is_none(bundle):
    (bundle / "tokenizer.json").write_text('{"version": "1.0"}')
    list_anew(bundle, "tokenizer.json")
    with pytest.raises(BundleFormatError, match=r"tokenizer\.json cannot be read"):
        Classifier(bundle)


@pytest.mark.may_run
def test_ids_that_the_tokenizer_or_the_model_lacks(edit_manifest):
    folder = edit_manifest(lambda m: m["windows"].update(marker_id=10**6))
    with pytest.raises(BundleFormatError, match=r"tokenizer\.json lacks"):
        Classifier(folder)


def test_fixed_width_fields_are_skipped():
    check_onnx(struct.pack("<B4sB8s", 13, b"abcd", 17, b"abcdefgh"), "x")
