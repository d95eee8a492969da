"""From probabilities to labels, against the plainest code and for what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boilerplate_clf.errors import InputError
from boilerplate_clf.inference.decide import Decider, Mode, Reason, decide

LABELS = ("content", "appeal", "policy")
number = st.floats(0, 1) | st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
score = st.lists(number, min_size=3, max_size=3)
scores = st.lists(score, max_size=8).map(lambda rows: np.asarray(rows, np.float64).reshape(-1, 3))


def plain(row, least, keep):
    """Return the likeliest label other than ``keep`` that reaches its threshold, else ``keep``."""
    reached = [i for i in range(len(row)) if i != keep and row[i] >= least[i]]
    return max(reached, key=lambda i: row[i]) if reached else keep


@given(scores, score, st.integers(0, 2))
def test_it_decides_as_the_plainest_code_does(rows, least, keep):
    assert decide(rows, least, keep).tolist() == [plain(row, least, keep) for row in rows.tolist()]


@given(scores, score, score, st.integers(0, 2))
def test_higher_thresholds_never_flag_more(rows, one, other, keep):
    higher = np.maximum(one, other)
    flagged = decide(rows, one, keep) != keep
    assert not ((decide(rows, higher, keep) != keep) & ~flagged).any()


def test_a_threshold_that_is_just_reached_counts():
    rows = np.asarray([[0.5, 0.5, 0.0], [0.6, 0.4, 0.0]])
    assert decide(rows, [0, 0.5, 0.5], 0).tolist() == [1, 0]


@given(scores, score, st.integers(0, 2))
def test_reasons_say_what_happened(rows, least, keep):
    decider = Decider(LABELS, keep, {}, {})
    for row, (label, reason) in zip(rows, decider.judge(rows, least), strict=True):
        likeliest = int(row.argmax())
        if label == likeliest:
            assert reason is Reason.LIKELIEST
        elif label == keep:
            assert reason is Reason.BELOW_THRESHOLD and (row[likeliest] < least[likeliest])
        else:
            assert reason is Reason.ABOVE_THRESHOLD and row[label] >= least[label]
    assert all(reason is Reason.LIKELIEST for _, reason in decider.judge(rows, None))


curve = st.lists(st.tuples(number, number), max_size=6).map(
    lambda points: list(zip(sorted(p[0] for p in points), sorted(p[1] for p in points), strict=True))
)
target = st.floats(0, 1, exclude_min=True)


@given(st.fixed_dictionaries({}, optional={name: curve for name in LABELS}), target, target)
def test_a_precision_target_takes_the_first_threshold_that_has_it(precision, one, other):
    decider = Decider(LABELS, 0, {}, precision)
    low, high = (decider.rule(precision_target=t) for t in sorted((one, other)))
    assert all(a <= b for a, b in zip(low, high, strict=True))
    for name, threshold in zip(LABELS, high, strict=True):
        reached = [t for t, p in precision.get(name, []) if p >= max(one, other)]
        # Where no threshold had the precision, not even certainty may give the label.
        assert threshold == reached[0] if reached else threshold > 1


@pytest.mark.parametrize("wrong", [0, -0.1, 1.0001, float("nan"), float("inf")])
def test_targets_out_of_range(wrong):
    with pytest.raises(InputError, match="between 0 and 1"):
        Decider(LABELS, 0, {}, {}).rule(precision_target=wrong)


def test_modes_take_their_own_thresholds():
    decider = Decider(LABELS, 0, {"careful": {"appeal": 0.9}, "balanced": {"appeal": 0.5, "policy": 0.25}})
    assert decider.rule("careful") == [0.0, 0.9, 0.0]
    assert decider.rule(Mode.BALANCED) == [0.0, 0.5, 0.25]
    assert decider.rule("best-guess") is None
