"""Quantisation: what keeps its precision, and what must not change."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

import onnx
import onnxruntime
import torch
from transformers import ModernBertConfig, ModernBertModel

from boilerplate_clf.inference.windows import WindowConfig
from boilerplate_clf.training.export import export_onnx, quantize
from boilerplate_clf.training.fuse import fuse
from boilerplate_clf.training.model import ParagraphClassifier
from boilerplate_clf.training.pretrain import EncoderConfig, make_encoder
from boilerplate_clf.training.smooth import smooth


@pytest.fixture
def classifier():
    """A tiny classifier in which one channel of a feed-forward layer is far larger than the others."""
    torch.manual_seed(0)
    config = EncoderConfig(hidden_size=32, layers=2, heads=2, intermediate_size=32, max_positions=64)
    encoder = make_encoder(config, vocab_size=100).model
    with torch.no_grad():
        encoder.layers[0].mlp.Wi.weight[32 + 5] *= 200.0
        encoder.layers[0].mlp.Wo.weight[:, 5] /= 200.0
    return ParagraphClassifier(encoder, labels=4, marker_id=5, pad_id=0, wide_buckets=64).eval()


def inputs(seed):
    draws = torch.Generator().manual_seed(seed)
    ids = torch.randint(6, 100, (2, 24), generator=draws)
    ids[:, [0, 12]] = 5
    return ids, torch.tensor([[0, 12]] * 2)


def feed_forward_peaks(model):
    """Largest and median size of the channels that go into the first layer's second matrix."""
    seen = []
    hook = model.encoder.layers[0].mlp.Wo.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        model(*inputs(9))
    hook.remove()
    channels = seen[0].abs().flatten(0, 1).amax(dim=0)
    return float(channels.max()), float(channels.median())


def test_smoothing_changes_no_score_and_flattens_the_channels(classifier):
    with torch.no_grad():
        before = classifier(*inputs(3))
        largest, median = feed_forward_peaks(classifier)
        assert largest / median > 50
        assert smooth(classifier, [inputs(1), inputs(2)]) == 2
        after = classifier(*inputs(3))
    torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-4)
    smoothed_largest, smoothed_median = feed_forward_peaks(classifier)
    assert smoothed_largest / smoothed_median < largest / median / 5


def test_encoders_without_gated_layers_are_left_alone():
    assert smooth(torch.nn.Sequential(torch.nn.Linear(4, 4)), []) == 0


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("sliding", [False, True])
def test_a_fused_model_says_what_it_said(tmp_path, bias, sliding):
    torch.manual_seed(1)
    config = ModernBertConfig(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=48,
        vocab_size=100,
        max_position_embeddings=64,
        attention_bias=bias,
        mlp_bias=bias,
        global_attn_every_n_layers=2 if sliding else 1,
        local_attention=8,
        pad_token_id=0,
        attn_implementation="eager",
    )
    model = ParagraphClassifier(ModernBertModel(config), labels=4, marker_id=5, pad_id=0, wide_buckets=64)
    torch.nn.init.normal_(model.pieces.weight)
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weight)
    model.eval()
    windows = [(ids[:1, :length], markers[:1]) for length in (14, 24) for ids, markers in [inputs(length)]]
    with torch.no_grad():
        expected = [model(*window) for window in windows]
    assert fuse(model) == (5 if sliding else 6)
    export_onnx(model, WindowConfig(64, 8, 16, 4, 2, 3, 0, 5), tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for (ids, markers), logits in zip(windows, expected, strict=True):
        (found,) = session.run(None, {"input_ids": ids.numpy(), "markers": markers.numpy()})
        np.testing.assert_allclose(found, logits.numpy(), atol=1e-4)
    kinds = [node.op_type for node in onnx.load(str(tmp_path / "m.onnx")).graph.node]
    assert kinds.count("MultiHeadAttention") == (2 if sliding else 3)
    assert "Split" not in kinds


def test_other_encoders_are_not_fused():
    assert fuse(torch.nn.Sequential(torch.nn.Linear(4, 4))) == 0


def test_each_row_of_a_table_has_a_scale_of_its_own(tmp_path):
    rng = np.random.default_rng(0)
    table = (rng.normal(size=(50, 8)) * np.geomspace(1e-4, 1e3, 50)[:, None]).astype(np.float32)
    table[7] = 0.0
    weights = [rng.normal(size=(8, 8)).astype(np.float32) for _ in range(3)]
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    nodes = [make("Gather", ["table", "ids"], ["rows"], "lookup")]
    nodes += [
        make("MatMul", [f"x{i}" if i else "rows", f"w{i}"], [f"x{i + 1}"], f"dense{i}") for i in range(3)
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [value("ids", onnx.TensorProto.INT64, ["n"])],
        [value("rows", onnx.TensorProto.FLOAT, ["n", 8]), value("x3", onnx.TensorProto.FLOAT, ["n", 8])],
        [onnx.numpy_helper.from_array(table, "table")]
        + [onnx.numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], producer_name="test", ir_version=9
    )
    source, target = tmp_path / "a.onnx", tmp_path / "b.onnx"
    onnx.save(model, str(source))
    quantize(source, target)
    small = onnx.load(str(target))
    kinds = [node.op_type for node in small.graph.node]
    assert kinds.count("MatMul") == 2 and "MatMulInteger" in kinds  # the head keeps its precision
    assert {node.domain for node in small.graph.node} <= {""}
    session = onnxruntime.InferenceSession(target.read_bytes(), providers=["CPUExecutionProvider"])
    (rows,) = session.run(["rows"], {"ids": np.arange(50)})
    error = np.abs(rows - table).max(axis=1)
    assert (error <= np.abs(table).max(axis=1) / 127 * 0.51 + 1e-12).all()
