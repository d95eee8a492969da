"""Packing paragraphs into windows."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boilerplate_clf.inference.windows import WindowConfig, cut, make_windows

CLS, SEP, PAD, PAR = 2, 3, 0, 5


def config(window=40, overlap=10, head=8, tail=3):
    return WindowConfig(window, overlap, head, tail, CLS, SEP, PAD, PAR)


documents = st.lists(st.lists(st.integers(10, 99), max_size=30), max_size=40)


@given(documents, st.integers(24, 80), st.integers(0, 10))
def test_every_paragraph_is_kept_once_and_no_window_is_too_long(paragraphs, window, overlap):
    made = make_windows(paragraphs, config(window=window, overlap=overlap))
    kept = [index for w in made for index in w.keep]
    assert kept == list(range(len(paragraphs)))
    for w in made:
        assert len(w.ids) <= window
        assert [i for i, token in enumerate(w.ids) if token == PAR] == w.markers
        assert w.first <= w.keep.start and w.keep.stop <= w.first + len(w.markers)
        assert len(w.keep) > 0


def shared_less(rows, first, stop):
    """Return the tokens that two windows share, without the first paragraph of them."""
    return sum(map(len, rows[first + 1 : stop]))


# Paragraphs at their budget, short ones between them, and windows that hold hardly two.
tight = st.lists(st.sampled_from([0, 1, 2, 4, 8, 11, 20]).map(lambda size: [50] * size), max_size=30)


@given(documents | tight, st.integers(24, 80) | st.integers(24, 30), st.integers(0, 10))
@example([[50] * 11, [50] * 8, [50] * 11, [50] * 11, [50] * 2, [50] * 11] * 4, 24, 10)
def test_windows_hold_the_cut_paragraphs_and_go_forward(paragraphs, window, overlap):
    limits = config(window=window, overlap=overlap)
    rows = [[PAR, *cut(ids, limits.head_tokens, limits.tail_tokens)] for ids in paragraphs]
    made = make_windows(paragraphs, limits)
    for number, w in enumerate(made):
        stop = w.first + len(w.markers)
        expected = [token for row in rows[w.first : stop] for token in row]
        first, last = number == 0, number == len(made) - 1
        assert w.ids == [*([CLS] if first else []), *expected, *([SEP] if last else [])]
        assert first == (w.first == 0) and last == (stop == len(rows))
        if not last:  # what comes next did not fit
            assert len(expected) + len(rows[stop]) > window - 2
    for before, after in pairwise(made):
        stop = before.first + len(before.markers)
        assert before.first < after.first <= stop < after.first + len(after.markers)
        # No more context than was asked for.
        assert after.first == stop or shared_less(rows, after.first, stop) < overlap
        shared = sum(map(len, rows[after.first : stop]))
        # As much context as was asked for, unless that would leave no room to go forward.
        one_more = shared + len(rows[after.first - 1]) + len(rows[stop])
        assert shared >= overlap or after.first == before.first + 1 or one_more > window - 2
        # Of what two windows share, each is asked about the half that it sees more of.
        middle = (after.first + stop) / 2
        assert abs(before.keep.stop - middle) <= 0.5 and before.keep.stop == after.keep.start


def test_document_edges_are_marked_and_window_edges_are_not():
    made = make_windows([[11] * 8] * 20, config())
    assert len(made) > 2
    assert [w.ids[0] == CLS for w in made] == [True] + [False] * (len(made) - 1)
    assert [w.ids[-1] == SEP for w in made] == [False] * (len(made) - 1) + [True]


def test_windows_overlap_and_labels_are_read_where_there_is_context():
    made = make_windows([[11] * 8] * 20, config())
    for before, after in pairwise(made):
        shared = before.first + len(before.markers) - after.first
        assert shared >= 1
        assert after.first < after.keep.start or shared == 1


def test_long_paragraphs_keep_head_and_tail():
    assert cut(list(range(10, 40)), 8, 3) == [*range(10, 18), 37, 38, 39]
    assert cut([10, 11], 8, 3) == [10, 11]
    assert cut([10, 11, 12], 2, 0) == [10, 11]


@pytest.mark.parametrize(("head", "tail"), [(8, 3), (8, 0), (1, 3), (3, 8)])
def test_a_paragraph_is_cut_at_its_budget_and_not_before(head, tail):
    for size in range(30):
        ids = list(range(size))
        kept = ids if size <= head + tail else [*ids[:head], *range(size - tail, size)]
        assert cut(ids, head, tail) == kept


def test_budgets_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="too small"):
        config(window=20, overlap=10)
    with pytest.raises(ValueError, match="negative"):
        config(tail=-1)
    with pytest.raises(ValueError, match="negative"):
        config(head=0, tail=3)
    with pytest.raises(ValueError, match="negative"):
        config(overlap=-1)
    # 1 + 8 + 3 tokens of a paragraph, 10 of overlap, 2 edges: it just fits.
    assert config(window=24).paragraph_tokens == 12
    with pytest.raises(ValueError, match="too small"):
        config(window=23)
