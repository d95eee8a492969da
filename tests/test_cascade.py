"""What the encoder is asked about, what is remembered, and that neither changes what a text gets."""

import json
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.inference.cache import ParagraphCache
from boilerplate_clf.inference.cascade import Cascade, Reading, as_cascade, reading
from boilerplate_clf.inference.chain import Chain
from boilerplate_clf.inference.encoder import Encoder as RealEncoder
from boilerplate_clf.inference.scorer import joined_logits

from .conftest import SHIPPED

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


def near(mask, distance):
    return [any(mask[max(0, i - distance) : i + distance + 1]) for i in range(len(mask))]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40), st.integers(0, 3), st.integers(0, 20))
def test_neighbours_are_read_along_and_more_of_them_around_what_is_suspected(pairs, context, wide):
    asked, suspected = (np.asarray([pair[i] for pair in pairs], bool) for i in range(2))
    found = reading(asked, suspected, context, wide)
    assert found.asked.tolist() == asked.tolist()
    assert found.whole.tolist() == (asked | np.asarray(near(suspected, wide), bool)).tolist()
    assert found.read.tolist() == (found.whole | np.asarray(near(asked, context), bool)).tolist()


def test_what_is_suspected_is_told_by_the_n_gram_model():
    scores = np.log([[0.98, 0.01, 0.01], [0.6, 0.39, 0.01], [0.98, 0.01, 0.01], [0.6, 0.01, 0.39]])
    narrow = Cascade(Chain(1.0, (), ()), 0.25, 0, 16, 4, 1.5)
    assert narrow.reading(scores, 0).whole.tolist() == [False, True, False, True]
    for column, expected in ((1, [True, True, True, True]), (2, [False, True, True, True])):
        found = replace(narrow, wide_columns=(column,), wide_doubt=0.3, wide_context=1).reading(scores, 0)
        assert found.asked.tolist() == [False, True, False, True]
        assert found.whole.tolist() == found.read.tolist() == expected
    both = replace(narrow, wide_columns=(1, 2), wide_doubt=0.395, wide_context=1).reading(scores, 0)
    assert both.whole.all()  # their probabilities add up
    assert not replace(narrow, wide_columns=(1,), wide_doubt=0.4, wide_context=1).reading(scores, 0).whole[0]


class Ngrams:
    """Unsure of every paragraph that begins with a question mark."""

    def log_probabilities(self, texts):
        rows = [UNSURE if text.startswith("?") else SURE for text in texts]
        return np.asarray(rows, np.float32).reshape(-1, 2)


class Encoder:
    """Keeps what it was asked."""

    def logits(self, documents, cascade=None, readings=()):
        self.asked = [reading.asked.tolist() for reading in readings]
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


def test_only_what_is_read_along_is_cut_short():
    bundle = load_bundle(SHIPPED)
    windows, seen = bundle.manifest.windows, []

    class Recorder:
        def run(self, windows):
            seen.extend(windows)
            return [np.zeros((len(window.markers), 4), np.float32) for window in windows]

    encoder = RealEncoder(bundle.tokenizer_json, Recorder(), windows, 4)
    words = " ".join(["Haus"] * 30)
    masks = [np.asarray(mask, bool) for mask in ([1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0])]
    encoder.logits([[words] * 4], CASCADE, [Reading(*masks)])
    (window,) = seen
    (one,) = set(window.ids) - {windows.cls_id, windows.marker_id, windows.sep_id}
    along = CASCADE.context_head + CASCADE.context_tail
    expected = [windows.cls_id]
    for count in (30, 30, along):
        expected += [windows.marker_id, *[one] * count]
    assert window.ids == [*expected, windows.sep_id]


def test_the_shipped_model_asks_about_appeals_and_not_about_articles(classifier, monkeypatch):
    read = []
    session = classifier._scorer._encoder._session
    run = session.run
    monkeypatch.setattr(session, "run", lambda windows: read.extend(windows) or run(windows))
    classifier.predict("\n".join(SENTENCES[:3] * 10))
    assert read == []
    article = SENTENCES[:3] * 10
    classifier.predict("\n".join([*article, *SENTENCES[8:10]]))
    assert 2 <= sum(len(window.markers) for window in read) <= 5
    read.clear()
    classifier.predict("\n".join([*article, *SENTENCES[5:8]]))  # around a plea for donations it reads more
    wide = classifier.bundle.manifest.cascade.wide_context
    assert wide < sum(len(window.keep) for window in read) <= wide + 3


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
    wide = replace(CASCADE, wide_columns=(1, 3), wide_doubt=0.3, wide_context=16)
    for cascade in (CASCADE, wide):
        assert as_cascade(json.loads(json.dumps(asdict(cascade)))) == cascade
    older = {key: value for key, value in asdict(CASCADE).items() if not key.startswith("wide_")}
    assert as_cascade(older) == CASCADE
