"""ONNX files that reach outside themselves are refused before onnxruntime sees them."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boilerplate_clf.bundle.onnx_safety import check_onnx, output_width
from boilerplate_clf.errors import UnsafeModelError

from .conftest import SHIPPED


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


@pytest.mark.parametrize("number", [1, 7, 8])
def test_a_field_that_is_cut_off_is_refused(number):
    with pytest.raises(UnsafeModelError, match="not an ONNX file"):
        check_onnx(field(number, b"abc")[:-1], "x")


def test_fixed_width_fields_are_skipped():
    check_onnx(struct.pack("<B4sB8s", 13, b"abcd", 17, b"abcdefgh"), "x")
