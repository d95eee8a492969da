"""One threshold for added labels: worth is counted on rows, cost on articles."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the extra 'train' is not installed")

from boilerplate_clf.evaluation.metrics import Gold
from boilerplate_clf.retrain.threshold import calibrate_added, common_threshold
from boilerplate_clf.training.calibrate import CalibrateConfig


def _scores(likely):
    likely = np.asarray(likely)
    return np.column_stack([1 - likely, likely])


def test_the_limit_is_that_of_articles_alone():
    # Half of the rows to be kept look like the label: hard ones, which say nothing of articles.
    scores = _scores([0.4, 0.4, 0.4, 0.4, 0.3, 0.1] + [0.02] * 100)
    index = np.asarray([1] * 4 + [0] * 102)
    rows, articles = np.arange(106) < 6, np.arange(106) >= 6
    assert 0.3 < common_threshold(scores, index, rows, articles, 0.003) <= 0.4
    scores[10] = 0.3, 0.7  # one in a hundred
    assert common_threshold(scores, index, rows, articles, 0.003) > 0.7
    assert 0.3 < common_threshold(scores, index, rows, articles, 0.01) <= 0.4
    assert 0.3 < common_threshold(scores, index, rows, np.zeros(106, bool), 0.003) <= 0.4


def test_of_thresholds_that_rows_do_not_tell_apart_the_strictest_is_taken():
    # 100 rows, three never found; one is lost above 0.5, ten more above 0.8.
    index = np.asarray([1] * 50 + [0] * 50)
    likely = [0.95] * 36 + [0.8] * 10 + [0.5] + [0.01] * 3 + [0.02] * 50
    everything, nothing = np.ones(100, bool), np.zeros(100, bool)
    found = common_threshold(_scores(likely), index, everything, nothing, 0.003)
    assert 0.5 < found <= 0.8
    # A fifth as many rows tell less.
    few = np.arange(100) % 5 == 0
    assert common_threshold(_scores(likely), index, few, nothing, 0.003) >= found


def test_a_limit_that_nothing_keeps():
    scores = _scores([0.9, 0.1, 1.0, 1.0])
    rows, articles = np.arange(4) < 2, np.arange(4) >= 2
    assert common_threshold(scores, np.asarray([1, 0, 0, 0]), rows, articles, 0.0) == pytest.approx(0.995)


def test_what_is_fitted_and_what_it_is_worth():
    rng = np.random.default_rng(0)
    index = np.concatenate([np.arange(90) % 3, np.zeros(400, np.int64)])
    logits = rng.normal(size=(490, 3)) + 5.0 * np.eye(3)[index]
    rows = np.arange(490) < 90
    gold = Gold(("keep", "a", "b"), index, np.arange(490), np.ones(490, bool), np.ones(490, bool))
    fitted = calibrate_added(logits, gold, rows, ~rows, CalibrateConfig())
    balanced, careful = (fitted["thresholds"][mode] for mode in ("balanced", "careful"))
    assert balanced["a"] == balanced["b"] <= careful["a"] == careful["b"] and balanced["keep"] == 0
    worth = fitted["cross_validated"]
    assert worth["balanced"]["rows_macro_f1"] > 0.9 and worth["balanced"]["articles_flagged"] < 0.02
    assert set(worth) == {"careful", "balanced", "best-guess"} and set(fitted["precision"]) == {"a", "b"}
    shuffled = Gold(gold.labels, rng.permutation(index), *(gold.publisher, gold.long, gold.decided))
    worth = calibrate_added(logits, shuffled, rows, ~rows, CalibrateConfig())["cross_validated"]
    assert worth["best-guess"]["rows_macro_f1"] < 0.6
