"""Metrics, calibration, baselines."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the extra 'train' is not installed")

from sklearn.metrics import f1_score, precision_recall_fscore_support

from boilerplate_clf.evaluation.baselines import KeywordBaseline, TfidfBaseline
from boilerplate_clf.evaluation.metrics import (
    calibration_error,
    confusion,
    describe,
    f1_scores,
    gold_of,
    macro_f1,
)
from boilerplate_clf.inference.decide import decide, probabilities
from boilerplate_clf.labels import LABELS
from boilerplate_clf.training.calibrate import CalibrateConfig, calibrate, fit_temperature
from boilerplate_clf.training.data import LabelledDocument

RNG = np.random.default_rng(0)


def documents(count=40, paragraphs=10):
    return [
        LabelledDocument(
            f"p{i}",
            f"haus{i % 8}",
            tuple("Wort " * RNG.integers(1, 9) for _ in range(paragraphs)),
            tuple(RNG.choice([*LABELS, "?"], p=[0.7, 0.1, 0.1, 0.05, 0.05]) for _ in range(paragraphs)),
        )
        for i in range(count)
    ]


def test_f1_is_that_of_scikit_learn():
    gold, guess = RNG.integers(0, 4, 500), RNG.integers(0, 4, 500)
    expected = precision_recall_fscore_support(gold, guess, labels=range(4), zero_division=0)
    for mine, theirs in zip(f1_scores(confusion(gold, guess, 4)), expected[:3], strict=True):
        assert mine == pytest.approx(theirs)
    assert macro_f1(gold, guess, 4) == pytest.approx(f1_score(gold, guess, average="macro"))


def test_undecided_paragraphs_count_nowhere_and_views_differ():
    data = documents()
    gold = gold_of(data, LABELS)
    labels = [label for d in data for label in d.labels]
    assert len(gold.index) == sum(label != "?" for label in labels) == gold.decided.sum()
    perfect = describe(gold, gold.index, "all", "content")
    assert perfect["macro_f1"] == 1 and perfect["content_flagged"] == 0
    assert describe(gold, gold.index, "text", "content")["paragraphs"] == gold.long.sum() < len(gold.index)


def test_intervals_hold_the_value():
    gold = gold_of(documents(), LABELS)
    guess = np.where(RNG.random(len(gold.index)) < 0.8, gold.index, 0)
    result = describe(gold, guess, "all", "content")
    low, high = result["macro_f1_interval"]
    assert low < result["macro_f1"] < high


def test_calibration_error():
    scores = np.array([[0.8, 0.2]] * 10)
    assert calibration_error(scores, np.array([0] * 8 + [1] * 2))[0] == pytest.approx(0)
    assert calibration_error(scores, np.array([1] * 10))[0] == pytest.approx(0.8)


def test_probabilities_are_stable():
    scores = probabilities(np.array([[1e4, 0.0], [0.0, 0.0]]), 1.0)
    assert scores == pytest.approx(np.array([[1, 0], [0.5, 0.5]]))


def test_decisions():
    scores = np.array([[0.5, 0.3, 0.2], [0.5, 0.1, 0.4], [0.1, 0.45, 0.45]])
    assert decide(scores, [0.0, 0.3, 0.4], keep=0).tolist() == [1, 2, 1]
    assert decide(scores, [0.9, 0.9, 0.9], keep=0).tolist() == [0, 0, 0]


def test_temperature_mends_overconfidence():
    gold = RNG.integers(0, 3, 3000)
    logits = RNG.normal(size=(3000, 3))
    logits[np.arange(3000), gold] += 1.0
    assert fit_temperature(logits * 3, gold) == pytest.approx(3 * fit_temperature(logits, gold), rel=0.1)


def test_thresholds_respect_the_limit():
    gold = gold_of(documents(200), LABELS)
    logits = RNG.normal(size=(len(gold.index), 4)) * 2
    logits[np.arange(len(gold.index)), gold.index] += 4
    result = calibrate(logits, gold, "content", CalibrateConfig(max_content_flagged=0.01))
    scores = probabilities(logits, result["temperature"])
    chosen = decide(scores, [result["thresholds"][name] for name in LABELS], 0)
    assert describe(gold, chosen, "text", "content")["content_flagged"] <= 0.01
    assert 0.3 < result["cross_validated"]["macro_f1"] <= 1


def test_baselines_learn_and_label_every_paragraph():
    train = [
        LabelledDocument(
            f"t{i}",
            "a",
            ("Der Rat tagt heute im Saal", "Bitte jetzt spenden für uns"),
            ("content", "donation_request"),
        )
        for i in range(10)
    ]
    assert TfidfBaseline().fit(train).predict(train).tolist() == [0, 2] * 10
    assert KeywordBaseline(LABELS).predict(train[:1]).tolist() == [0, 2]
