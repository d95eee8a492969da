"""Files that are what bundle.json lists, but nothing that a model could be made of."""

import contextlib
import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.errors import BundleError, BundleFormatError, UnsafeModelError
from boilerplate_clf.inference.ngrams import NgramScorer

from .conftest import replace_file
from .test_onnx_safety import output

pytestmark = pytest.mark.usefixtures("nothing_runs")


def test_a_file_that_is_no_onnx(bundle):
    for data in (b"\xff" * 100, b"\x12\x80\x80\x01ORTM"):
        replace_file(bundle, "model.onnx", data)
        with pytest.raises(UnsafeModelError, match="not an ONNX file"):
            Classifier(bundle)


@pytest.mark.may_run
def test_an_onnx_file_without_a_graph(bundle):
    replace_file(bundle, "model.onnx", b"")
    with pytest.raises(BundleError):
        Classifier(bundle)


def more_labels(manifest):
    manifest["labels"].append("fifth")
    manifest["chain"].update(transitions=[], bias=[])
    manifest["cascade"] = None


def test_wrong_number_of_labels(edit_manifest):
    with pytest.raises(BundleFormatError, match=r"gives 4 scores a paragraph, but bundle\.json has 5 labels"):
        load_bundle(edit_manifest(more_labels))


def test_wrong_number_of_labels_of_the_ngrams(edit_manifest):
    folder = edit_manifest(more_labels)
    replace_file(folder, "model.onnx", output(b"batch", b"slots", 5))
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
    replace_file(bundle, "model.onnx", head(onnx, np.zeros(4, np.float32), "n"))
    assert len(Classifier(bundle).predict("Ein Text.")) == 1
    replace_file(
        bundle, "model.onnx", head(onnx, np.zeros(5, np.float32), "n")
    )  # not declared, so not seen before
    with pytest.raises(BundleFormatError, match="shape"):
        Classifier(bundle).predict("Ein Text.")
    replace_file(
        bundle, "model.onnx", head(onnx, np.zeros(4, np.float32), 4, rows=1)
    )  # fewer vectors than tokens
    with pytest.raises(BundleFormatError, match="cannot be run"):
        Classifier(bundle).predict("Ein Text.")
    for bad in (np.nan, np.inf):
        replace_file(bundle, "model.onnx", head(onnx, np.full(4, bad, np.float32), 4))
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
    replace_file(bundle, "ngrams.npz", data)
    with pytest.raises(BundleFormatError, match=r"ngrams\.npz"):
        Classifier(bundle)


@given(st.binary(max_size=200), st.integers(0, 10**6))
@settings(max_examples=100)
def test_any_ngrams_are_read_or_refused(data, place):
    small = npz(
        key_steps=np.ones((4, 3), np.uint8), table=np.zeros((2, 5, 3), np.uint8), bias=np.zeros(4, np.float32)
    )
    place %= len(small)
    for damaged in (data, small[:place] + data + small[place + len(data) :]):
        with contextlib.suppress(BundleFormatError):
            NgramScorer.from_bytes(damaged, 4)


@pytest.mark.may_run
def test_a_tokenizer_that_is_none(bundle):
    replace_file(bundle, "tokenizer.json", b'{"version": "1.0"}')
    with pytest.raises(BundleFormatError, match=r"tokenizer\.json cannot be read"):
        Classifier(bundle)


@pytest.mark.may_run
def test_ids_that_the_tokenizer_or_the_model_lacks(edit_manifest):
    folder = edit_manifest(lambda m: m["windows"].update(marker_id=10**6))
    with pytest.raises(BundleFormatError, match=r"tokenizer\.json lacks"):
        Classifier(folder)
