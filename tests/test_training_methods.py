"""Losses, layer-wise rates and replaced-token detection."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

import torch
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordPiece

from boilerplate_clf.training.batches import Budgets, Featurizer, draw_asked, window_config
from boilerplate_clf.training.calibrate import CascadeConfig
from boilerplate_clf.training.data import LabelledDocument
from boilerplate_clf.training.loop import Schedule, Trainer, layer_depth, make_optimizer, rate_factor
from boilerplate_clf.training.losses import (
    IGNORE,
    LossConfig,
    class_weights,
    classification_loss,
    divergence,
)
from boilerplate_clf.training.pretrain import EncoderConfig, make_encoder, mask_tokens
from boilerplate_clf.training.rtd import ReplacedTokenDetection
from boilerplate_clf.training.tokenizer import SPECIAL_TOKENS, UNK

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 3.0, 0.0], [1.0, 1.0, 1.0], [0.5, 0.0, 4.0]])
GOLD = torch.tensor([0, 1, IGNORE, 0])
PLAIN = LossConfig(label_smoothing=0.0)


def test_paragraphs_of_which_nothing_is_asked_do_not_count():
    changed = LOGITS.clone()
    changed[2] = torch.tensor([9.0, -9.0, 0.0])
    for config in (PLAIN, LossConfig(focal_gamma=2.0), LossConfig(label_smoothing=0.1)):
        assert torch.equal(
            classification_loss(LOGITS, GOLD, config), classification_loss(changed, GOLD, config)
        )
    assert torch.equal(divergence(LOGITS, LOGITS + 1, GOLD), divergence(changed, changed + 1, GOLD))


def test_focal_loss_plays_sure_cases_down_and_needs_no_gamma_to_be_plain():
    each = -LOGITS.log_softmax(dim=1)[[0, 1, 3], [0, 1, 0]]
    sure = LOGITS.softmax(dim=1)[[0, 1, 3], [0, 1, 0]]
    expected = (each * (1 - sure) ** 2).mean()
    assert classification_loss(LOGITS, GOLD, LossConfig(0.0, focal_gamma=2.0)) == pytest.approx(
        float(expected)
    )
    assert classification_loss(LOGITS, GOLD, PLAIN) == pytest.approx(float(each.mean()))


def test_class_weights_follow_the_power():
    assert class_weights([900, 100, 0], 0.0).tolist() == [1.0, 1.0, 1.0]
    assert class_weights([900, 100, 9], 0.5).tolist() == pytest.approx([1.0, 3.0, 10.0])
    heavier = classification_loss(LOGITS, GOLD, PLAIN, torch.tensor([1.0, 1.0, 1.0]))
    assert heavier < classification_loss(LOGITS, GOLD, PLAIN, torch.tensor([3.0, 1.0, 1.0]))


def test_divergence_is_symmetric_and_zero_for_equal_passes():
    other = LOGITS.flip(0)
    assert float(divergence(LOGITS, LOGITS, GOLD)) == pytest.approx(0.0, abs=1e-7)
    assert float(divergence(LOGITS, other, GOLD)) == pytest.approx(float(divergence(other, LOGITS, GOLD)))
    assert float(divergence(LOGITS, other, GOLD)) > 0.1


def tiny_language_model():
    config = EncoderConfig(hidden_size=32, layers=2, heads=2, intermediate_size=32, max_positions=64)
    return make_encoder(config, vocab_size=100)


def test_lower_layers_learn_more_slowly_under_layer_decay():
    class Holder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = tiny_language_model().model
            self.output = torch.nn.Linear(32, 2)

    model = Holder()
    optimizer = make_optimizer(model, Schedule(1e-3, 10), head_factor=3.0, layer_decay=0.5)
    factors = {id(p): group["factor"] for group in optimizer.param_groups for p in group["params"]}
    found = {name: factors[id(p)] for name, p in model.named_parameters()}
    assert found["output.weight"] == 3.0
    assert found["encoder.final_norm.weight"] == 1.0
    assert {v for k, v in found.items() if layer_depth(k) == 2} == {0.5}
    assert {v for k, v in found.items() if layer_depth(k) == 1} == {0.25}
    assert found["encoder.embeddings.tok_embeddings.weight"] == 0.125


@pytest.mark.parametrize(
    ("feature", "width"),
    [("avx512_bf16", torch.bfloat16), ("amx_bf16", torch.bfloat16), ("avx512_f", torch.float32)],
)
def test_the_forward_pass_is_in_bfloat16_where_the_cpu_has_it_and_the_weights_never(
    monkeypatch, feature, width
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {feature: True})
    layer, seen = torch.nn.Linear(4, 4), []

    def loss_of(batch):
        out = layer(batch)
        seen.append(out.dtype)
        return out.float().sum(), 1

    Trainer(layer, Schedule(1e-3, 2), None, loss_of).run([torch.ones(2, 4)] * 2)
    assert seen == [width, width]
    assert layer.weight.dtype == torch.float32


def test_replaced_token_detection_trains_the_encoder_and_never_the_generator():
    torch.manual_seed(0)
    language_model = tiny_language_model()
    model = ReplacedTokenDetection(language_model)
    generator = model._generator[0]
    before = [p.clone() for p in generator.parameters()]
    assert not any("generator" in name for name in model.state_dict())
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    draws = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(60):
        # Every sequence counts upwards: a replaced piece breaks the order.
        ids = torch.arange(24).unsqueeze(0) + torch.randint(10, 70, (16, 1), generator=draws)
        loss = model(*mask_tokens(ids, 0.2, 100, draws))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    assert all(torch.equal(a, b) for a, b in zip(before, generator.parameters(), strict=True))
    assert language_model.model.layers[0].attn.Wqkv.weight.grad is not None


def test_examples_behind_a_cascade_ask_only_what_is_asked_and_cut_what_is_read_along():
    tokenizer = Tokenizer(
        WordPiece({w: i for i, w in enumerate([*SPECIAL_TOKENS, "a", "b", "c"])}, unk_token=UNK)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    windows = window_config(
        tokenizer, Budgets(window_tokens=64, overlap_tokens=0, head_tokens=8, tail_tokens=2)
    )
    featurizer = Featurizer(tokenizer, windows, ("content", "appeal"))
    texts = ("a a a a", "b b b b b", "c c c c", "a", "b b b")
    document = LabelledDocument("p", "x", texts, ("content", "appeal", "content", "content", "appeal"))
    cascade = CascadeConfig(context=1, context_head=2, context_tail=1)
    asked = np.asarray([0, 1, 0, 0, 0], bool)
    [example] = featurizer.asked_examples(document, asked, cascade)
    a, b, c = (tokenizer.token_to_id(x) for x in "abc")
    par, cls, sep = windows.marker_id, windows.cls_id, windows.sep_id
    assert example.window.ids == [cls, par, a, a, a, par, b, b, b, b, b, par, c, c, c, sep]
    assert example.labels == [IGNORE, 1, IGNORE]
    assert featurizer.asked_examples(document, np.zeros(5, bool), cascade) == []
    wide = replace(cascade, wide_labels=("appeal",), wide_context=2)
    [example] = featurizer.asked_examples(document, asked, wide)
    assert example.window.ids == [
        *[cls, par, a, a, a, a, par, b, b, b, b, b, par, c, c, c, c],
        *[par, a, sep],
    ]
    assert example.labels == [IGNORE, 1, IGNORE, IGNORE]


def test_appeals_are_asked_about_sooner_than_what_stands_beside_them_or_far_away():
    labels = ["content"] * 8 + ["appeal"] + ["content"] * 8
    rng = random.Random(0)
    shares = np.mean([draw_asked(labels, "content", rng) for _ in range(2000)], axis=0)
    assert shares[8] > 0.9 > 0.6 > shares[[7, 9]].max() > shares[[7, 9]].min() > 0.4
    assert shares[:7].max() < 0.12


def test_the_rate_rises_stays_and_falls():
    assert [rate_factor(p, 0.1, 0.4) for p in (0.05, 0.1, 0.5, 0.6, 0.8, 1.0)] == pytest.approx(
        [0.5, 1.0, 1.0, 1.0, 0.5, 0.0]
    )


def test_the_rate_falls_from_the_warm_up_on_unless_told_otherwise():
    assert [rate_factor(p, 0.2) for p in (0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.5, 1.0, 0.5, 0.0])


def test_the_rate_may_stay_to_the_end():
    assert [rate_factor(p, 0.2, 0.0) for p in (0.1, 0.2, 1.0)] == pytest.approx([0.5, 1.0, 1.0])
