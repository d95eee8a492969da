"""A head for other labels on an encoder that is left as it is."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra 'train' is not installed")

from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.errors import TrainingError
from boilerplate_clf.inference.encoder import Encoder
from boilerplate_clf.inference.session import Session
from boilerplate_clf.retrain.probe import feature_model, feature_width, fit_head, with_head

from .conftest import SHIPPED

TEXTS = ["Der Rat tagt am Montag im Rathaus.", "Jetzt abonnieren!", "Spenden Sie."]


def logits(bundle, model, width):
    encoder = Encoder(bundle.tokenizer_json, Session(model, width, 1), bundle.manifest.windows, width)
    return encoder.logits([TEXTS])[0]


def test_features_and_a_head_on_them():
    bundle = load_bundle(SHIPPED)
    features = feature_model(bundle.model)
    width = feature_width(features)
    found = logits(bundle, features, width)
    assert found.shape == (3, width) and width > 1000 and len(features) < len(bundle.model)
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(width, 2)), np.asarray([1.0, -1.0])
    judged = logits(bundle, with_head(features, weights, bias), 2)
    np.testing.assert_allclose(judged, found @ weights + bias, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("labels", [2, 3])
def test_a_head_finds_what_is_there(labels):
    rng = np.random.default_rng(0)
    targets = np.arange(300) % labels
    features = rng.normal(3.0, 5.0, (300, 8)) + 20.0 * np.eye(labels, 8)[targets]
    weights, bias = fit_head(features, targets, labels)
    assert ((features @ weights + bias).argmax(axis=1) == targets).mean() > 0.95


def test_a_label_without_examples_is_never_likely():
    weights, bias = fit_head(np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2, 3)
    assert bias[2] == pytest.approx(-20) and not weights[:, 2].any()


def test_a_model_that_another_program_exported():
    onnx = pytest.importorskip("onnx")
    graph = onnx.helper.make_graph([], "empty", [], [])
    with pytest.raises(TrainingError, match="export it with this package"):
        feature_model(onnx.helper.make_model(graph).SerializeToString())
