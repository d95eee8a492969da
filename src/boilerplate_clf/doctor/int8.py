"""Does this processor multiply int8 exactly?

Without VNNI, products of unsigned and signed bytes may be added up in 16 bits, which saturates: an int8
model then scores otherwise than on the machine that it was made on. A matrix product of the kind that
the model consists of is computed by onnxruntime and by numpy's whole numbers. Its ONNX file is
written by hand, since the base install has no ``onnx``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

_ROWS, _INNER, _COLUMNS = 32, 256, 64
_UINT8, _INT8, _INT32 = 2, 3, 6


@dataclass(frozen=True)
class Int8Products:
    """How many of the sums were right, and how wrong the others were."""

    sums: int
    wrong: int
    largest_error: int
    """Relative to the largest sum, in thousandths, rounded up."""


def int8_products(seed: int = 0) -> Int8Products:
    """Multiply matrices of bytes, of which half the rows are as large as bytes can be."""
    rng = np.random.default_rng(seed)
    left = rng.integers(0, 256, (_ROWS, _INNER), np.uint8)
    right = rng.integers(-128, 128, (_INNER, _COLUMNS), np.int8)
    left[::2] = 255
    right[:, ::2] = np.where(right[:, ::2] < 0, -128, 127)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(_model(right), options, providers=["CPUExecutionProvider"])
    found = session.run(None, {"a": left})[0].astype(np.int64)
    expected = left.astype(np.int64) @ right.astype(np.int64)
    error = np.abs(found - expected)
    largest = -(-int(error.max()) * 1000 // int(np.abs(expected).max()))
    return Int8Products(expected.size, int((error > 0).sum()), largest)


def _model(right: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> bytes:
    """Return an ONNX file that multiplies its input ``a`` by ``right`` (onnx.proto, release 1.8)."""
    node = _field(1, b"a") + _field(1, b"b") + _field(2, b"y") + _field(4, b"MatMulInteger")
    sizes = b"".join(_field(1, size) for size in right.shape)
    constant = sizes + _field(2, _INT8) + _field(8, b"b") + _field(9, right.tobytes())
    graph = _field(1, node) + _field(2, b"int8") + _field(5, constant)
    graph += _field(11, _value(b"a", _UINT8, (_ROWS, _INNER)))
    graph += _field(12, _value(b"y", _INT32, (_ROWS, _COLUMNS)))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


def _value(name: bytes, kind: int, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, dimensions)))


def _field(number: int, value: int | bytes) -> bytes:
    """Return a field of a protobuf message: a number, or bytes."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
