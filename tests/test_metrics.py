"""Metrics, calibration, baselines."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the extra 'train' is not installed")

from sklearn.metrics import f1_score, precision_recall_fscore_support

from boilerplate_clf.errors import DataError
from boilerplate_clf.evaluation.baselines import KeywordBaseline, TfidfBaseline
from boilerplate_clf.evaluation.metrics import (
    Gold,
    calibration_error,
    confusion,
    describe,
    f1_scores,
    gold_of,
    macro_f1,
    risk_coverage,
)
from boilerplate_clf.inference.chain import Chain
from boilerplate_clf.inference.decide import Decider, Mode, decide
from boilerplate_clf.labels import LABELS
from boilerplate_clf.training.calibrate import (
    CalibrateConfig,
    ChainFit,
    affinities,
    calibrate,
    calibrate_and_measure,
    describe_modes,
)
from boilerplate_clf.training.data import LabelledDocument
from boilerplate_clf.training.thresholds import fit_thresholds, strictest

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


def test_without_a_paragraph_nothing_can_be_measured():
    for text, label, views in (
        ("Ein Satz mit fünf Wörtern", "?", ("text", "all")),
        ("Mehr lesen", "content", ("text",)),
    ):
        gold = gold_of([LabelledDocument("p", "x", (text,), (label,))], LABELS)
        for view in views:
            with pytest.raises(DataError, match="nothing to measure on"):
                describe(gold, gold.index, view, "content")


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


def test_risk_falls_with_coverage_where_confidence_means_something():
    scores = np.stack([np.linspace(0.5, 1, 1000), np.linspace(0.5, 0, 1000)], axis=1)
    gold = (RNG.random(1000) > scores[:, 0]).astype(np.int64)
    curve = risk_coverage(scores, gold)
    assert curve[-1]["coverage"] == 1.0 and curve[-1]["risk"] == pytest.approx(gold.mean())
    assert curve[0]["risk"] < curve[-1]["risk"] and curve[0]["confidence"] > 0.74


def test_decisions():
    scores = np.array([[0.5, 0.3, 0.2], [0.5, 0.1, 0.4], [0.1, 0.45, 0.45]])
    assert decide(scores, [0.0, 0.3, 0.4], keep=0).tolist() == [1, 2, 1]
    assert decide(scores, [0.9, 0.9, 0.9], keep=0).tolist() == [0, 0, 0]
    assert decide(scores, None, keep=0).tolist() == [0, 0, 1]


def noisy_logits(gold, scale=1.0):
    logits = RNG.normal(size=(len(gold.decided), 4)) * 2
    logits[np.flatnonzero(gold.decided), gold.index] += 4
    return logits * scale


def test_temperature_mends_overconfidence():
    data = documents(60)
    gold, lengths = gold_of(data, LABELS), [len(d) for d in data]
    logits = noisy_logits(gold)
    nothing = np.zeros((4, 4))
    once = ChainFit(logits, lengths, gold, nothing, 0).fit()
    thrice = ChainFit(logits * 3, lengths, gold, nothing, 0).fit()
    assert thrice.temperature == pytest.approx(3 * once.temperature, rel=0.2)


def test_affinities_count_neighbours():
    data = [LabelledDocument("p", "x", ("t",) * 6, ("content",) * 3 + ("?",) + ("donation_request",) * 2)]
    found = affinities(data, LABELS[:3])
    assert found[0, 0] > 0 > found[0, 2] and found[2, 2] > found[2, 1]
    assert affinities([], LABELS) == pytest.approx(np.zeros((4, 4)))


def test_a_chain_is_used_where_labels_come_in_runs_and_only_there():
    runs = [
        LabelledDocument(
            f"p{i}", f"haus{i % 9}", ("ein Absatz mit Wörtern",) * 12, ("content",) * 7 + (label,) * 5
        )
        for i, label in enumerate(list(LABELS[1:]) * 15)
    ]
    mixed = [replace(d, labels=tuple(RNG.permutation(d.labels))) for d in runs]
    strengths = []
    for data in (runs, mixed):
        gold, lengths = gold_of(data, LABELS), [len(d) for d in data]
        logits = RNG.normal(size=(len(gold.decided), 4)) * 2
        logits[np.arange(len(gold.index)), gold.index] += 2
        fit = ChainFit(logits, lengths, gold, affinities(runs, LABELS), 0)
        chain = fit.fit()
        strengths.append(chain.transitions[1][1])
        plain = fit.scores(fit.chain(chain.temperature, 0.0, chain.bias[0])).argmax(axis=1)
        chained = fit.scores(chain).argmax(axis=1)
        if data is runs:
            assert (chained == gold.index).mean() > (plain == gold.index).mean() + 0.03
    assert strengths[0] > 2 * abs(strengths[1])


def test_thresholds_respect_the_limit():
    data = documents(200)
    gold, lengths = gold_of(data, LABELS), [len(d) for d in data]
    logits = noisy_logits(gold)
    config = CalibrateConfig(balanced=0.01, careful=0.004)
    result = calibrate([logits], lengths, gold, affinities(data, LABELS), "content", config)
    chain = Chain(**result["chain"])
    parts = np.split(logits, np.cumsum(lengths)[:-1])
    scores = np.concatenate(chain.marginals(parts))[gold.decided]
    decider = Decider(LABELS, 0, result["thresholds"], result["precision"])
    for mode, limit in (("balanced", 0.01), ("careful", 0.004)):
        chosen = decide(scores, decider.rule(mode), 0)
        assert describe(gold, chosen, "text", "content")["content_flagged"] <= limit
        assert 0.3 < result["cross_validated"]["modes"][mode]["macro_f1"] <= 1
    # A precision target holds for every label that is given at all.
    chosen = decide(scores, decider.rule(precision_target=0.9), 0)
    rows = describe(gold, chosen, "text", "content")["labels"]
    for name in LABELS[1:]:
        assert rows[name]["precision"] == 0 or rows[name]["precision"] > 0.85


def by_pairs(pairs):
    """Return scores and labels of ``(label, score of the appeal that is likeliest)``."""
    scores = np.zeros((len(pairs), 4))
    for row, (label, score) in zip(scores, pairs, strict=True):
        row[label or 2] = score
        row[0] = 1 - score
    index = np.array([label for label, _ in pairs])
    some = np.ones(len(index), bool)
    return scores, Gold(LABELS, index, np.zeros(len(index), int), some, some)


def test_of_thresholds_that_are_as_good_those_that_flag_least_are_taken():
    # Appeals of the three labels that are sure, a few that are not, and content that looks like the latter.
    sure = [(label, 0.9) for label in (1, 2, 3)] * 200 + [(0, 0.0)] * 2000

    def threshold(unsure):
        scores, gold = by_pairs([*sure, *[(2, 0.45)] * unsure, (0, 0.45)])
        return fit_thresholds([scores], gold, 0, 0.01)[2]

    assert threshold(2) > 0.45  # two in two hundred: less than half a point of macro-F1
    assert threshold(40) <= 0.45


def test_thresholds_are_those_that_hold_for_each_rounding_of_a_model():
    sure = [(label, 0.95) for label in (1, 2, 3)] * 50 + [(0, 0.0)] * 2000
    beside = [0.51] * 4  # four of 54 requests beside a threshold, as a rounding has them
    rounded, gold = by_pairs(sure + [(2, score + 0.001) for score in beside] + [(0, 0.3)])
    exact, _ = by_pairs(sure + [(2, score - 0.02) for score in beside] + [(0, 0.3)])
    assert fit_thresholds([rounded], gold, 0, 0.01)[2] == 0.5
    assert fit_thresholds([rounded, exact], gold, 0, 0.01)[2] == 0.475
    assert fit_thresholds([exact, rounded], gold, 0, 0.01)[2] == 0.475


def test_the_worse_rounding_counts_where_none_agrees():
    sure = [(label, 0.995) for label in (1, 2, 3)] * 50 + [(0, 0.0)] * 2000
    rounded, gold = by_pairs([*sure, *[(2, 0.995)] * 2, *[(2, 0.51)] * 4, (0, 0.3)])
    exact, _ = by_pairs([*sure, *[(2, 0.0)] * 2, *[(2, 0.49)] * 4, (0, 0.3)])  # two requests never found
    assert fit_thresholds([rounded], gold, 0, 0.01)[2] == 0.5
    assert fit_thresholds([rounded, exact], gold, 0, 0.01)[2] == 0.475


def test_of_equally_good_thresholds_none_is_taken_at_which_a_rounding_changes_a_label():
    # One of 54 requests moves: macro-F1 by a quarter of a point, the label's F1 by one.
    sure = [(label, 0.95) for label in (1, 2, 3)] * 53 + [(0, 0.0)] * 2000
    rounded, gold = by_pairs([*sure, (2, 0.71), (0, 0.3)])
    exact, _ = by_pairs([*sure, (2, 0.69), (0, 0.3)])
    assert fit_thresholds([rounded], gold, 0, 0.01)[2] == 0.95
    assert fit_thresholds([rounded, exact], gold, 0, 0.01)[2] == 0.95
    # What is above 0.7 is beside the threshold in turn: all but one of the labels' paragraphs.
    high = [(label, 0.72) for label in (1, 2, 3)] * 53 + [(0, 0.0)] * 2000
    rounded, gold = by_pairs([*high, (2, 0.71), (0, 0.3)])
    exact, _ = by_pairs([*high, (2, 0.69), (0, 0.3)])
    assert fit_thresholds([rounded], gold, 0, 0.01)[2] == 0.7
    assert fit_thresholds([rounded, exact], gold, 0, 0.01)[2] == 0.675


def test_a_share_flagged_by_any_rounding_counts():
    rows = [(label, 0.95) for label in (1, 2, 3)] * 50 + [(2, 0.41)] * 20 + [(0, 0.0)] * 1000
    rounded, gold = by_pairs(rows + [(0, 0.39)] * 6)
    exact, _ = by_pairs(rows + [(0, 0.41)] * 6)
    assert fit_thresholds([rounded], gold, 0, 0.005)[2] == 0.4
    assert fit_thresholds([rounded, exact], gold, 0, 0.005)[2] > 0.4


def test_what_is_only_measured_beside_does_not_decide():
    data = documents(200)
    gold, lengths = gold_of(data, LABELS), [len(d) for d in data]
    rounded, exact, other = (np.split(noisy_logits(gold), np.cumsum(lengths)[:-1]) for _ in range(3))
    facts = (
        lengths,
        gold,
        affinities(data, LABELS),
        "content",
        CalibrateConfig(balanced=0.01, careful=0.004),
    )
    alone = calibrate_and_measure({"int8": rounded}, *facts)
    beside = calibrate_and_measure({"int8": rounded}, *facts, others={"other": other})
    both = calibrate_and_measure({"int8": rounded, "fp32": exact}, *facts)
    assert alone["thresholds"] == beside["thresholds"] and list(beside["dev"]) == ["int8", "other"]
    assert both["chain"] == alone["chain"] and list(both["dev"]) == ["int8", "fp32"]
    for mode, limit in (("careful", 0.004), ("balanced", 0.01)):
        assert all(kind[mode]["text"]["content_flagged"] <= limit for kind in both["dev"].values())


def test_where_no_threshold_is_the_same_to_all_roundings_the_strictest_good_one_is_taken():
    assert strictest({0.2: 0, 0.5: 0, 0.8: 0}, lambda t: t, 0.1, lambda _: 0.3, lambda _: False) == 0.8
    assert strictest({0.2: 0, 0.5: 0, 0.8: 0}, lambda t: t, 0.1, lambda _: 0.3, lambda t: t < 0.6) == 0.5
    assert strictest({0.2: 0, 0.5: 0, 0.8: 0}, lambda t: t, 0.1, lambda _: 0.3, lambda t: t < 0.3) == 0.8


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


def test_every_mode_is_described_under_its_own_thresholds():
    gold = gold_of(documents(), LABELS)
    scores = RNG.dirichlet(np.ones(4), len(gold.index))
    thresholds = {"careful": dict.fromkeys(LABELS, 0.9), "balanced": dict.fromkeys(LABELS, 0.4)}
    decider = Decider(LABELS, 0, thresholds)
    found = describe_modes(gold, scores, decider)
    assert found.keys() == {"careful", "balanced", "best-guess"}
    for mode, views in found.items():
        guess = decide(scores, decider.rule(Mode(mode)), 0)
        assert views == {view: describe(gold, guess, view, "content", scores) for view in ("text", "all")}
    flagged = {mode: views["all"]["content_flagged"] for mode, views in found.items()}
    assert flagged["careful"] < flagged["balanced"] < flagged["best-guess"]
