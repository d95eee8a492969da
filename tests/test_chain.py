"""The chain: marginals over a document."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boilerplate_clf.inference.chain import Chain, softmax

TRANSITIONS = ((0.5, -1.0, 0.0), (-0.3, 2.0, -1.5), (0.0, -0.7, 1.0))
BIAS = (0.25, 0.0, -1.0)


def by_enumeration(logits, chain):
    """Marginals by summing over all label sequences."""
    scores = logits / chain.temperature + np.asarray(chain.bias)
    totals = np.zeros_like(scores)
    for path in product(range(scores.shape[1]), repeat=len(scores)):
        weight = sum(scores[i, label] for i, label in enumerate(path))
        weight += sum(chain.transitions[a][b] for a, b in pairwise(path))
        for i, label in enumerate(path):
            totals[i, label] += np.exp(weight)
    return totals / totals.sum(axis=1, keepdims=True)


@given(st.lists(st.tuples(*[st.floats(-8, 8)] * 3), min_size=1, max_size=5), st.floats(0.3, 3))
@settings(max_examples=40)
def test_forward_backward_is_the_sum_over_all_sequences(rows, temperature):
    chain = Chain(temperature, TRANSITIONS, BIAS)
    logits = np.asarray(rows)
    assert chain.marginals([logits])[0] == pytest.approx(by_enumeration(logits, chain), abs=1e-9)


def test_documents_side_by_side_do_not_touch():
    chain = Chain(1.5, TRANSITIONS, BIAS)
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(n, 3)) * 4 for n in (5, 0, 1, 40, 2)]
    for part, together in zip(parts, chain.marginals(parts), strict=True):
        assert together == pytest.approx(chain.marginals([part])[0], abs=1e-12)
        assert together.shape == part.shape


def test_without_transitions_it_is_a_softmax():
    logits = np.asarray([[1e4, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert Chain(2.0, (), ()).marginals([logits])[0] == pytest.approx(softmax(logits / 2.0))
    assert softmax(logits)[1] == pytest.approx(np.full(3, 1 / 3))
    assert Chain(1.0, (), ()).marginals([]) == []


def test_long_documents_do_not_underflow():
    chain = Chain(1.0, TRANSITIONS, BIAS)
    scores = chain.marginals([np.tile([[-500.0, 500.0, 0.0], [500.0, -500.0, 0.0]], (5000, 1))])[0]
    assert np.isfinite(scores).all() and scores[:, 2].max() < 1e-9
    assert scores.sum(axis=1) == pytest.approx(np.ones(10_000))
