"""A finished model's encoder, left as it is, with a linear head for other labels.

What few rows cannot teach an encoder, one that was fine-tuned on thousands of pages knows already: whose
voice a paragraph speaks in. Nothing is fitted but one matrix, in seconds, to what its layers say of a
paragraph (linear probes: Alain & Bengio 2016).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.errors import TrainingError
from boilerplate_clf.extras import require
from boilerplate_clf.training.linear import per_label

Floats = npt.NDArray[np.floating]

_ANCHOR = "hidden.bias"
"""Of :class:`~boilerplate_clf.training.model.ParagraphClassifier`, whose input is the paragraphs' vectors."""
_LOGITS = "logits"
_CLASS_WEIGHT_POWER = 0.75
_INVERSE_REGULARIZATION = 0.01
_MAX_ITER = 60


def feature_model(model: bytes) -> bytes:
    """Return an ONNX model that gives features of paragraphs in place of the logits of ``model``.

    They are what its own head reads (the marker's vector, the mean vector), and the mean vectors of what each
    layer reads.

    Raises:
        TrainingError: the model is not one that this package exported.
    """
    onnx = require("train", "onnx")
    loaded = onnx.load_from_string(model)
    graph = loaded.graph
    maker = {name: node for node in graph.node for name in node.output}
    try:
        (add,) = [node for node in graph.node if _ANCHOR in node.input]
        (product,) = [maker[name] for name in add.input if name != _ANCHOR]
        joined = maker[product.input[0]]
        mean = maker[joined.input[1]]
        tokens, count = maker[mean.input[0]].input[0], mean.input[1]
        (width,) = [item.dims[0] for item in graph.initializer if item.name == product.input[1]]
    except (ValueError, KeyError, IndexError) as error:
        raise TrainingError("the model's encoder cannot be read: export it with this package") from error
    # Two norms a layer, before attention and before the feed-forward part; the last one's mean is there.
    below = [node.output[0] for node in graph.node if node.op_type == "LayerNormalization"][:-1:2]
    make, nodes, parts = onnx.helper.make_node, [], [joined.output[0]]
    for number, layer in enumerate(below):
        nodes += [
            make("MatMul", [tokens, layer], [f"probe_{number}_sum"]),
            make("Div", [f"probe_{number}_sum", count], [f"probe_{number}"]),
        ]
        parts.append(f"probe_{number}")
    _rename(graph, _LOGITS, "replaced")
    nodes.append(make("Concat", parts, [_LOGITS], axis=-1))
    graph.node.extend(nodes)
    return _finished(loaded, width + width // 2 * len(below))


def with_head(features: bytes, weights: Floats, bias: Floats) -> bytes:
    """Return the model whose logits are ``features @ weights + bias``.

    Args:
        features: of :func:`feature_model`.
        weights: ``(features, labels)``.
        bias: ``(labels,)``.
    """
    onnx = require("train", "onnx")
    loaded = onnx.load_from_string(features)
    graph = loaded.graph
    _rename(graph, _LOGITS, "features")
    for name, values in (("probe.weight", weights), ("probe.bias", bias)):
        graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float32), name))
    make = onnx.helper.make_node
    graph.node.append(make("MatMul", ["features", "probe.weight"], ["probe_product"]))
    graph.node.append(make("Add", ["probe_product", "probe.bias"], [_LOGITS]))
    return _finished(loaded, len(bias))


def _rename(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new


def _finished(model: Any, width: int) -> bytes:
    """Declare the output, and leave out all that it does not need."""
    onnx = require("train", "onnx")
    graph = model.graph
    needed, kept = {_LOGITS}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed.update(node.input)
    constants = [item for item in graph.initializer if item.name in needed]
    shape = ["batch", "slots", width]
    output = onnx.helper.make_tensor_value_info(_LOGITS, onnx.TensorProto.FLOAT, shape)
    for field, values in (
        ("node", kept[::-1]),
        ("initializer", constants),
        ("output", [output]),
        ("value_info", []),
    ):
        items = getattr(graph, field)
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        del items[:]
        items.extend(copies)
    content: bytes = model.SerializeToString()
    return content


def feature_width(features: bytes) -> int:
    """Return how many features a paragraph has."""
    numbers = require("train", "onnx").load_from_string(features).graph.output[0].type.tensor_type.shape.dim
    return int(numbers[-1].dim_value)


def fit_head(
    features: Floats, targets: npt.NDArray[np.int64], labels: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Fit logistic regression and return its weights ``(features, labels)`` and bias.

    Args:
        features: ``(paragraphs, features)``.
        targets: label index of each paragraph.
        labels: number of labels.
    """
    linear = require("train", "sklearn.linear_model")
    unfinished = require("train", "sklearn.exceptions").ConvergenceWarning
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-3
    counts = np.bincount(targets, minlength=labels)
    weight = {i: (len(targets) / n) ** _CLASS_WEIGHT_POWER for i, n in enumerate(counts) if n}
    model = linear.LogisticRegression(C=_INVERSE_REGULARIZATION, max_iter=_MAX_ITER, class_weight=weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unfinished)  # the last digits change no decision
        model.fit((features - mean) / scale, targets)
    weights, bias = per_label(model, labels)
    weights /= scale[:, None]
    return weights, bias - mean @ weights
