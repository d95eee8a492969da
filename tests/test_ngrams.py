"""The n-gram model: hashing, neighbours, its file."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boilerplate_clf.errors import BundleFormatError
from boilerplate_clf.inference.ngrams import (
    AFTER,
    BEFORE,
    CHARS,
    WORDS,
    Lookup,
    NgramScorer,
    _to_planes,
    features,
)

TEXT = st.text(st.characters(), max_size=60)


def plain(texts):
    """The same n-grams by plain string operations: {(paragraph, view, n-gram): count}."""
    import re
    from collections import Counter

    found = Counter()
    words = [re.findall(r"\w\w+", text.lower()) for text in texts]
    for i, text in enumerate(texts):
        for word in text.lower().split():
            padded = f" {word} "
            for n in (2, 3, 4, 5):
                for at in range(len(padded) - n + 1):
                    found[i, CHARS, padded[at : at + n]] += 1
        grams = words[i] + [" ".join(pair) for pair in zip(words[i], words[i][1:], strict=False)]
        found.update((i, WORDS, gram) for gram in grams)
        found.update((i, view, word) for word in words[i] for view in (BEFORE, AFTER))
    return found


@given(st.lists(TEXT, max_size=5))
@settings(max_examples=60)
def test_hashed_features_are_the_plain_n_grams(texts):
    found = features(texts)
    expected = plain(texts)
    for i in range(len(texts)):
        for view in (WORDS, CHARS, BEFORE, AFTER):
            mine = found.count[(found.paragraph == i) & (found.view == view)]
            theirs = [count for (row, v, _), count in expected.items() if (row, v) == (i, view)]
            assert sorted(mine.tolist()) == sorted(theirs), (i, view)


def test_the_same_n_gram_has_the_same_key_everywhere():
    one, two = features(["Jetzt spenden"]), features(["Ganz anderer Text", "Wir sollten jetzt spenden"])
    keys = set(one.key[one.view == WORDS].tolist())
    assert len(keys) == 3 and keys <= set(two.key[(two.view == WORDS) & (two.paragraph == 1)].tolist())
    assert not keys & set(two.key[two.view == AFTER].tolist())  # in another view it is another feature


@given(st.sets(st.integers(0, 2**32 - 1), max_size=300), st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_known_keys_are_found_where_they_are_and_others_are_not(keys, others):
    known = sorted(keys)
    asked = np.asarray([*known, *others], np.int64)
    place = Lookup(np.asarray(known, np.uint32)).find(asked)
    assert place.tolist() == [known.index(key) if key in keys else -1 for key in asked.tolist()]


def test_crowded_buckets():
    known = np.arange(1000, dtype=np.uint32)  # all of them in one bucket
    assert Lookup(known).find(np.asarray([0, 999, 1000, 2**32 - 1])).tolist() == [0, 999, -1, -1]


@given(st.lists(TEXT, max_size=6))
@settings(max_examples=30)
def test_only_what_is_known_is_counted(texts):
    everything = features(texts)
    known = Lookup(np.unique(everything.key)[::2].astype(np.uint32))
    found = features(texts, known)
    expected = everything.only(known.find(everything.key) >= 0)
    for name in ("paragraph", "view", "count"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()
    assert known.keys[found.key].tolist() == expected.key.tolist()


def scorer(texts=("jetzt spenden", "der Rat tagt")):
    keys = np.unique(features(list(texts)).key).astype(np.uint32)
    rng = np.random.default_rng(0)
    table = np.abs(rng.normal(size=(len(keys), 4))).astype(np.float16)
    return NgramScorer(keys, table, np.asarray([1.0, 0.0, -1.0], np.float32))


@given(st.lists(TEXT, max_size=6))
@settings(max_examples=30)
def test_any_text_gets_log_probabilities(texts):
    scores = scorer().log_probabilities(texts)
    assert scores.shape == (len(texts), 3)
    assert np.exp(scores).sum(axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


def test_long_documents_are_scored_in_parts_that_fit_together():
    model = scorer()
    texts = [f"jetzt spenden {i}" if i % 3 else "der Rat tagt" for i in range(400)]
    whole = model.log_probabilities(texts)
    for i in (0, 127, 128, 129, 255, 256, 399):
        around = texts[max(0, i - 1) : i + 2]
        assert whole[i] == pytest.approx(model.log_probabilities(around)[min(i, 1)], abs=1e-5)


def test_file_round_trip():
    model = scorer()
    again = NgramScorer.from_bytes(model.to_bytes(), 3)
    texts = ["Wir sollten jetzt spenden", "", "der Rat"]
    assert again.log_probabilities(texts) == pytest.approx(model.log_probabilities(texts))


def archive(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


STEPS, BIAS = _to_planes(np.asarray([1, 2], np.uint32)), np.zeros(3, np.float32)
TABLE = _to_planes(np.zeros((4, 2), np.float16))


def good(**changes):
    return archive(**({"key_steps": STEPS, "table": TABLE, "bias": BIAS} | changes))


def test_what_the_damaged_files_are_made_of_is_fine():
    assert NgramScorer.from_bytes(good(), 3).log_probabilities(["Rat"]).shape == (1, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zip",
        archive(key_steps=STEPS),
        good(bias=BIAS[:2]),
        good(bias=BIAS.astype(np.float64)),
        good(table=TABLE[:, :3]),
        good(table=TABLE[:1]),
        good(table=TABLE[:, :, :1]),
        good(key_steps=_to_planes(np.asarray([1, 0], np.uint32))),  # twice the same
        good(key_steps=_to_planes(np.asarray([9, 2**32 - 3], np.uint32))),  # not in order
        good(key_steps=STEPS.astype(np.int64)),
        good(table=_to_planes(np.full((4, 2), np.nan, np.float16))),
        good(bias=np.full(3, np.inf, np.float32)),
        good(key_steps=np.asarray([{}, []], object)),  # needs pickle
    ],
)
def test_bad_files_are_refused(data):
    with pytest.raises(BundleFormatError, match=r"ngrams\.npz"):
        NgramScorer.from_bytes(data, 3)


def test_a_file_that_unpacks_too_large(monkeypatch):
    monkeypatch.setattr("boilerplate_clf.inference.ngrams.MAX_BUNDLE_FILE_BYTES", 100)
    with pytest.raises(BundleFormatError, match="unpacks to over"):
        NgramScorer.from_bytes(scorer().to_bytes(), 3)
