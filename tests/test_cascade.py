"""What the encoder is asked about, what is remembered, and that neither changes what a text gets."""

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boilerplate_clf import Classifier
from boilerplate_clf.inference.cache import ParagraphCache
from boilerplate_clf.inference.cascade import Cascade, as_cascade
from boilerplate_clf.inference.chain import Chain
from boilerplate_clf.inference.scorer import joined_logits

CASCADE = Cascade(Chain(1.0, (), ()), 0.25, 1, 16, 4, 1.5)
SURE, UNSURE = np.log([0.9, 0.1]), np.log([0.5, 0.5])

SENTENCES = (
    "Der Rat von Altbach hat am Montag den Haushalt beschlossen.",
    "Am Nachmittag wird es im Süden freundlich, bei bis zu elf Grad.",
    "Die Feuerwehr war mit vierzig Kräften im Einsatz, verletzt wurde niemand.",
    "Foto: Vereinsarchiv",
    "Mehr zum Thema",
    "Liebe Leserinnen und Leser,",
    "Unser Blatt gibt es nur, weil viele von Ihnen etwas dazugeben.",
    "Jetzt spenden!",
    "Weiterlesen mit dem Digitalabo, vier Wochen für einen Euro",
    "Sie haben schon ein Abo? Hier anmelden",
    "Bitte bleiben Sie in den Kommentaren sachlich, wir lesen alles vor der Freigabe.",
    "Ihre Redaktion",
    "",
    "Spendenkonto der Flutopfer: Die Gemeinde hat ein Konto eingerichtet.",
)
DOCUMENTS = st.lists(st.sampled_from(SENTENCES), max_size=25)


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 3))
def test_neighbours_are_read_along(asked, context):
    read = Cascade(Chain(1.0, (), ()), 0.25, context, 16, 4, 1.5).read(np.asarray(asked, bool))
    expected = [any(asked[max(0, i - context) : i + context + 1]) for i in range(len(asked))]
    assert read.tolist() == expected


class Ngrams:
    """Unsure of every paragraph that begins with a question mark."""

    def log_probabilities(self, texts):
        rows = [UNSURE if text.startswith("?") else SURE for text in texts]
        return np.asarray(rows, np.float32).reshape(-1, 2)


class Encoder:
    """Keeps what it was asked."""

    def logits(self, documents, cascade=None, asked=()):
        self.asked = [mask.tolist() for mask in asked]
        return [np.full((len(document), 2), 7.0, np.float32) for document in documents]


def test_the_encoder_decides_what_it_is_asked_about_and_nothing_else():
    encoder = Encoder()
    documents = [["a", "?b", "c"], [], ["d"]]
    found = joined_logits(documents, 2, encoder, Ngrams(), 1.0, CASCADE, keep=0)
    assert encoder.asked == [[False, True, False], [], [False]]
    assert found[0][[0, 2]] == pytest.approx(np.tile(1.5 * SURE, (2, 1)))
    assert found[0][1] == pytest.approx(7.0 + UNSURE)
    assert found[1].shape == (0, 2) and found[2] == pytest.approx(1.5 * SURE[None])
    without = joined_logits(documents, 2, encoder, Ngrams(), 1.0, None, keep=0)
    assert without[0][0] == pytest.approx(7.0 + SURE)


def test_the_shipped_model_asks_about_appeals_and_not_about_articles(classifier, monkeypatch):
    read = []
    session = classifier._scorer._encoder._session
    run = session.run
    monkeypatch.setattr(session, "run", lambda windows: read.extend(windows) or run(windows))
    classifier.predict("\n".join(SENTENCES[:3] * 10))
    assert read == []
    classifier.predict("\n".join([*SENTENCES[:3] * 10, *SENTENCES[5:8]]))
    (window,) = read
    assert 3 <= len(window.markers) <= 6


def scores(document):
    return np.asarray([list(paragraph.scores.values()) for paragraph in document]).reshape(-1, 4)


@pytest.fixture(scope="module")
def uncached():
    return Classifier(threads=1, cache=0)


@given(st.lists(DOCUMENTS, min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_the_same_whatever_batch_order_threads_and_cache(classifier, uncached, documents, rng):
    expected = [uncached.predict(document) for document in documents]
    order = list(range(len(documents)))
    rng.shuffle(order)
    for clf in (classifier, uncached):
        together = clf.predict_batch([documents[i] for i in order])
        for i, found in zip(order, together, strict=True):
            assert [p.label for p in found] == [p.label for p in expected[i]]
            assert scores(found) == pytest.approx(scores(expected[i]), abs=1e-3)


def test_a_blank_paragraph_changes_nothing(uncached):
    filled = [text for text in SENTENCES if text]
    blanks = [part for text in filled for part in (text, " ")]
    assert scores(uncached.predict(blanks))[::2] == pytest.approx(scores(uncached.predict(filled)))


def test_a_remembered_paragraph_is_not_computed_again():
    computed = []

    def compute(texts):
        computed.extend(texts)
        return np.asarray([[len(text)] for text in texts])

    cache = ParagraphCache(2)
    assert cache.through(["a", "bb", "a"], compute).tolist() == [[1], [2], [1]]
    assert cache.through(["bb", "ccc"], compute).tolist() == [[2], [3]]
    assert cache.through(["a", "bb"], compute).tolist() == [[1], [2]]  # "a" was used longest ago
    assert computed == ["a", "bb", "ccc", "a"]
    assert cache.through(["\ud800", "\udfff"], compute).tolist() == [[1], [1]]


def test_threads_share_a_cache():
    cache = ParagraphCache(5)

    def work(seed):
        rng = random.Random(seed)
        for _ in range(300):
            texts = [str(rng.randint(0, 20)) for _ in range(rng.randint(1, 9))]
            found = cache.through(texts, lambda new: np.asarray([[int(t)] for t in new]))
            assert found[:, 0].tolist() == [int(text) for text in texts]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_lock_that_was_held_at_a_fork_holds_nobody_up():
    cache = ParagraphCache(5)
    with cache._lock:
        child = os.fork()
        if not child:
            signal.alarm(10)
            found = cache.through(["a"], lambda new: np.zeros((len(new), 1)))
            os._exit(len(found) - 1)
        assert os.waitpid(child, 0)[1] == 0


def test_a_negative_cache_is_refused():
    with pytest.raises(ValueError, match="cache"):
        Classifier(cache=-1)


def test_a_cascade_survives_its_file():
    from dataclasses import asdict

    assert as_cascade(asdict(CASCADE)) == CASCADE
