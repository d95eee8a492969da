"""What a page says twice is judged once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from boilerplate_clf import Classifier, Label
from boilerplate_clf.inference.repeats import pool_repeats

PLEA = "Ohne die Hilfe unserer Leserinnen und Leser gäbe es diese Seite nicht."


def test_repeats_get_the_mean_and_nothing_else_changes():
    logits = np.asarray([[0, 4], [1, 1], [2, 0], [7, 7]], np.float32)
    before = logits.copy()
    pooled = pool_repeats([PLEA, "Der Rat tagt am Montag.", PLEA, "Mehr dazu"], logits)
    assert pooled.tolist() == [[1, 2], [1, 1], [1, 2], [7, 7]]
    assert (logits == before).all()


def test_a_single_word_depends_on_where_it_stands():
    logits = np.asarray([[0, 4], [2, 0]], np.float32)
    assert (pool_repeats(["Spenden", "Spenden"], logits) == logits).all()
    assert (pool_repeats(["Jetzt spenden", "Jetzt spenden"], logits) == [[1, 2], [1, 2]]).all()


def test_another_spelling_is_another_paragraph():
    logits = np.asarray([[0, 4], [2, 0]], np.float32)
    assert (pool_repeats(["Jetzt spenden", "Jetzt spenden!"], logits) == logits).all()
    assert (pool_repeats(["Jetzt spenden", "Jetzt \xa0 spenden"], logits) == [[1, 2], [1, 2]]).all()


@given(
    st.lists(st.sampled_from(["", "ein", "ein Wort", "zwei Wörter", "noch\xa0etwas"]), max_size=12), st.data()
)
def test_pooling_does_not_depend_on_the_order_and_twice_is_once(texts, data):
    numbers = st.lists(st.integers(-9, 9), min_size=2, max_size=2)
    logits = np.asarray(data.draw(st.lists(numbers, min_size=len(texts), max_size=len(texts))), np.float32)
    logits = logits.reshape(len(texts), 2)
    pooled = pool_repeats(texts, logits)
    assert pooled.shape == logits.shape
    order = data.draw(st.permutations(range(len(texts))))
    np.testing.assert_allclose(
        pool_repeats([texts[i] for i in order], logits[order]), pooled[order], atol=1e-5
    )
    np.testing.assert_allclose(pool_repeats(texts, pooled), pooled, atol=1e-5)
    np.testing.assert_allclose(pooled.sum(axis=0), logits.sum(axis=0), atol=1e-4)


def test_what_is_plain_in_one_place_is_seen_in_the_other():
    plea = "Für eine Spende sind wir dankbar."
    days = [f"Am {n}. Mai tagte der Rat der Gemeinde und beriet über den Haushalt." for n in range(1, 9)]
    page = [*days[:4], plea, *days[4:], "Unterstützen Sie uns!"]
    end = ["Jetzt spenden", "Spendenkonto: DE00 1234 5678 9012 3456 78"]
    for model in ("fast", "accurate"):
        classifier = Classifier(model)
        once = classifier.predict([*page, *end])[4]
        twice = [p for p in classifier.predict([*page, plea, *end]) if p.text == plea]
        assert once.scores["donation_request"] < 0.5
        assert [p.label for p in twice] == [Label.DONATION_REQUEST] * 2


def test_many_equal_rows_keep_their_logits_to_the_last_bit():
    logits = np.full((100_000, 2), -8.1234, np.float32)
    assert (pool_repeats(["Jetzt spenden"] * len(logits), logits) == logits).all()


def test_a_phrase_is_left_out_wherever_the_paragraph_stands(monkeypatch):
    plea, far = (
        "Mit Ihrer Spende sichern Sie unsere Arbeit.",
        "Mit  Ihrer Spende sichern Sie unsere Arbeit.\xad",
    )
    days = [f"Am {n}. Mai tagte der Rat der Gemeinde und beriet über den Haushalt." for n in range(1, 31)]
    page = [far, *days, plea, "Jetzt spenden", plea, "Spenden", "Spenden"]
    classifier, asked = Classifier(), []
    document = classifier.predict(page)
    monkeypatch.setattr(
        classifier,
        "_log_odds",
        lambda texts, place, label: asked.append((texts, place)) or [0.0, *[-1.0] * (len(texts) - 1)],
    )
    classifier.explain(document)
    whole = [(texts, place) for texts, place in asked if texts[0][place] == plea]
    assert len(whole) == 2
    for (unchanged, *variants), place in whole:
        assert [text for text in unchanged if "Spende sichern" in text] == [far[:-1], plea, plea]
        assert len(unchanged) < 20  # the far one with two paragraphs behind it, and six before the others
        for variant in variants:
            changed = [i for i, pair in enumerate(zip(unchanged, variant, strict=True)) if len(set(pair)) > 1]
            assert len(changed) == 3 and place in changed
    for (unchanged, *variants), place in asked:  # a single word stands for itself
        if unchanged[place] == "Spenden":
            for variant in variants:
                assert [a == b for a, b in zip(unchanged, variant, strict=True)].count(False) == 1


def test_what_only_a_far_repeat_shows_is_explained_by_it():
    plea = "Mit Ihrer Spende sichern Sie unsere Arbeit."
    days = [f"Am {n}. Mai tagte der Rat der Gemeinde und beriet über den Haushalt." for n in range(1, 31)]
    page = [
        *days[:4],
        plea,
        *days[4:],
        "Unterstützen Sie uns!",
        plea,
        "Spendenkonto: DE00 1234 5678 9012 3456 78",
    ]
    classifier = Classifier()
    document = classifier.predict(page)
    assert document[4].label == Label.DONATION_REQUEST
    asked = []
    log_odds = classifier._log_odds
    classifier._log_odds = lambda *of: asked.append(log_odds(*of)) or asked[-1]
    explained = classifier.explain(document)
    assert explained[4].because
    assert asked[0][0] > 0  # judged as on the page: more likely than not
