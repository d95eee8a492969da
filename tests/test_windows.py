"""Packing paragraphs into windows."""

from itertools import pairwise

import pytest
from hypothesis import given
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


def test_budgets_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="too small"):
        config(window=20, overlap=10)
    with pytest.raises(ValueError, match="negative"):
        config(tail=-1)
