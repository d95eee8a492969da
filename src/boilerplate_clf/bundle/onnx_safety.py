"""Refusing ONNX files that reach outside themselves, or are for other labels, before onnxruntime sees them.

External tensor data have been a way to read foreign files again and again (CVE-2022-25882,
CVE-2024-27318, CVE-2026-27489). The base install has no ``onnx`` package, so this module walks the
protobuf wire format itself, along the few fields of ``onnx.proto`` in which a tensor, a subgraph
or an operator domain can stand (https://onnx.ai/onnx/api/classes.html). Everything else is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator

from boilerplate_clf.errors import UnsafeModelError

_DOMAINS = {"", "ai.onnx", "com.microsoft"}
"""Operator sets that onnxruntime itself brings."""

_MAX_DEPTH = 32

_ORT_FORMAT = b"ORTM"
"""At byte 4 it makes onnxruntime read the file as a FlatBuffer, whatever else it may be."""

_MAX_KEY = 2**32
"""protobuf reads a field's key modulo this."""

# message -> field number -> message of the field's value
_SCHEMA: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 8: "OperatorSet", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 9: "OperatorSet", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
}
_DOMAIN_FIELD = {"OperatorSet": 1, "Node": 7}
_TENSOR_EXTERNAL_DATA, _TENSOR_LOCATION = 13, 14
# Model.graph, Graph.output, ValueInfo.type, Type.tensor_type, Tensor.shape
_OUTPUT_SHAPE = (7, 12, 2, 1, 2)
_DIMENSION, _DIMENSION_VALUE = 1, 1


def check_onnx(data: bytes, name: str) -> None:
    """Check an ONNX file without running it.

    Raises:
        UnsafeModelError: not a protobuf message of ONNX's shape, tensors with external data, or
            operators that onnxruntime does not bring itself.
    """
    try:
        if data[4:8] == _ORT_FORMAT:
            raise ValueError("onnxruntime's own format")
        _walk(memoryview(data), "Model", name, 0)
    except (IndexError, ValueError) as error:
        raise UnsafeModelError(f"{name}: not an ONNX file") from error


def output_width(data: bytes) -> int | None:
    """Return the declared size of the last dimension of the graph's first output: its number of labels.

    Args:
        data: an ONNX file that :func:`check_onnx` has passed.

    Returns:
        None where the size is not declared or not fixed.
    """
    part = memoryview(data)
    for wanted in _OUTPUT_SHAPE:
        inner = next((value for number, value in _fields(part) if number == wanted), None)
        if not isinstance(inner, memoryview):
            return None
        part = inner
    width = None
    for number, dimension in _fields(part):
        if number == _DIMENSION and isinstance(dimension, memoryview):
            width = next((value for n, value in _fields(dimension) if n == _DIMENSION_VALUE), None)
    return width if isinstance(width, int) else None


def _walk(data: memoryview, message: str, name: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise UnsafeModelError(f"{name}: graphs nested deeper than {_MAX_DEPTH}")
    for number, value in _fields(data):
        if message == "Tensor":
            if number == _TENSOR_EXTERNAL_DATA or (number == _TENSOR_LOCATION and value != 0):
                raise UnsafeModelError(f"{name}: refers to data outside the file, which is refused")
        elif number == _DOMAIN_FIELD.get(message) and isinstance(value, memoryview):
            domain = bytes(value).decode("utf-8", "replace")
            if domain not in _DOMAINS:
                raise UnsafeModelError(f"{name}: operators of the domain {domain!r} are refused")
        elif (inner := _SCHEMA.get(message, {}).get(number)) is not None:
            if not isinstance(value, memoryview):
                raise ValueError("a message was expected")
            _walk(value, inner, name, depth + 1)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, varint or bytes) of one message; fixed-width values count as 0."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key >= _MAX_KEY:
            raise ValueError("field number too large")
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
        elif wire == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("truncated")
            yield number, data[at : at + size]
            at += size
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
            if at > len(data):
                raise ValueError("truncated")
            yield number, 0
        else:
            raise ValueError(f"wire type {wire}")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")
