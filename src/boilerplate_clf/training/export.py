"""From torch to a bundle: ONNX, int8, and proof that neither changed what the model says."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from boilerplate_clf.errors import TrainingError
from boilerplate_clf.extras import require
from boilerplate_clf.inference.windows import WindowConfig

MAX_EXPORT_DIFFERENCE = 1e-3
"""Largest allowed difference of a logit between torch and the fp32 ONNX file."""

HEAD_LAYERS = 2
"""Dense layers of :class:`~boilerplate_clf.training.model.ParagraphClassifier` behind the encoder."""


def export_onnx(model: nn.Module, windows: WindowConfig, path: Path) -> None:
    """Write ``model`` (in evaluation mode) as one fp32 ONNX file with free batch, length and slots.

    The exporter built on ``torch.export`` is used, since the TorchScript one is deprecated. After
    :func:`~boilerplate_clf.training.fuse.fuse` the file takes no padded sequences: it sees no mask.

    Raises:
        TrainingError: the model is in training mode; dropout would be exported.
    """
    if any(module.training for module in model.modules()):
        raise TrainingError("the model must be in evaluation mode for export")
    model = model.cpu()
    length = min(32, windows.window_tokens)
    ids = torch.full((2, length), windows.pad_id + 10)
    ids[:, 0] = windows.cls_id
    ids[:, [1, length // 2]] = windows.marker_id
    ids[1, -4:] = windows.pad_id
    markers = torch.tensor([[1, length // 2]] * 2)
    batch, tokens, slots = (torch.export.Dim(name) for name in ("batch", "tokens", "slots"))
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            # Deprecations inside torch's own exporter are nothing that a user can act on.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model,
                (ids, markers),
                str(path),
                input_names=["input_ids", "markers"],
                output_names=["logits"],
                dynamo=True,
                external_data=False,
                verbose=False,
                dynamic_shapes={"input_ids": {0: batch, 1: tokens}, "markers": {0: batch, 1: slots}},
            )
    finally:
        quiet.setLevel(level)


def quantize(source: Path, target: Path) -> None:
    """Write a dynamically quantised copy: int8 weights per channel, embedding tables per row.

    Signed weights, since unsigned ones are no faster than fp32 on CPUs with VNNI. The classification
    head, a hundredth of the arithmetic, keeps its precision.
    """
    quantization = require("train", "onnxruntime.quantization")
    onnx = require("train", "onnx")
    graph = onnx.load(str(source)).graph
    constants = {item.name for item in graph.initializer}
    dense = [
        node.name for node in graph.node if node.op_type in ("MatMul", "Gemm") and node.input[1] in constants
    ]
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it recommends a preprocessing that gains nothing here
    try:
        quantization.quantize_dynamic(
            str(source),
            str(target),
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Gemm"],
            nodes_to_exclude=dense[-HEAD_LAYERS:],
        )
    finally:
        root.setLevel(level)
    model = onnx.load(str(target))
    _quantize_tables(model)
    # The tool imports operator sets that no node uses; the loader refuses foreign ones.
    used = {node.domain for node in model.graph.node}
    imports = [item for item in model.opset_import if item.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(imports)
    onnx.save(model, str(target))


def _quantize_tables(model: Any) -> None:
    """Keep each row of an embedding table as int8 with a scale of its own, in place.

    The quantisation tool has one scale for a whole table only, and rare pieces have small vectors.
    """
    onnx = require("train", "onnx")
    graph = model.graph
    tables = {item.name: item for item in graph.initializer if len(item.dims) == 2}
    nodes = []
    for node in graph.node:
        if node.op_type != "Gather" or node.input[0] not in tables:
            nodes.append(node)
            continue
        table, name, ids = tables.pop(node.input[0]), node.name, node.input[1]
        rows = onnx.numpy_helper.to_array(table)
        scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12).astype(np.float32) / 127
        graph.initializer.remove(table)
        for suffix, values in (("int8", np.round(rows / scale).astype(np.int8)), ("scale", scale)):
            graph.initializer.append(onnx.numpy_helper.from_array(values, f"{name}_{suffix}"))
        make = onnx.helper.make_node
        nodes += [
            make("Gather", [f"{name}_int8", ids], [f"{name}_rows"], f"{name}_rows"),
            make("Cast", [f"{name}_rows"], [f"{name}_float"], f"{name}_float", to=onnx.TensorProto.FLOAT),
            make("Gather", [f"{name}_scale", ids], [f"{name}_scales"], f"{name}_scales"),
            make("Mul", [f"{name}_float", f"{name}_scales"], list(node.output), name),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def compare(before: npt.NDArray[Any], after: npt.NDArray[Any], labels: Sequence[str]) -> dict[str, Any]:
    """Describe how far logits ``(paragraphs, labels)`` moved: differences and changed labels."""
    was, now = before.argmax(axis=1), after.argmax(axis=1)
    return {
        "largest_difference": float(np.abs(before - after).max()),
        "mean_difference": float(np.abs(before - after).mean()),
        "changed_labels": {name: int(((was == i) & (now != i)).sum()) for i, name in enumerate(labels)},
        "paragraphs": len(before),
    }
