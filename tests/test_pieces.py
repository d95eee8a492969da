"""From texts to word pieces: nothing is forged, and capitals are read as words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordPiece

from boilerplate_clf import Classifier
from boilerplate_clf.inference.pieces import Pieces

WORDS = (
    "[UNK]",
    "[SEP]",
    "jetzt",
    "Jetzt",
    "spend",
    "##en",
    "Straße",
    "ARD",
    "GEZ",
    "für",
    "F",
    "##reu",
    "!",
    "Freund",
)
TOKENIZER = Tokenizer(WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
TOKENIZER.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
PIECES = Pieces(TOKENIZER)


def read(text):
    return [WORDS[i] for i in PIECES.ids([text])[0]]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("JETZT SPENDEN!", ["Jetzt", "spend", "##en", "!"]),
        ("SPENDEN JETZT", ["[UNK]", "jetzt"]),  # the first word gets a capital, as a sentence does
        ("JETZT FÜR FREUND", ["Jetzt", "für", "Freund"]),
        ("ARD", ["ARD"]),  # one word: a name
        ("GEZ !", ["GEZ", "!"]),
        ("ARD für GEZ", ["ARD", "für", "GEZ"]),  # not all of it is in capitals
        ("[SEP]", ["[UNK]", "[UNK]", "[UNK]"]),
    ],
)
def test_pieces(text, pieces):
    assert read(text) == pieces


def test_no_texts_give_no_ids():
    assert PIECES.ids([]) == []


@given(st.lists(st.text(max_size=40)))
def test_every_text_gets_its_own_ids_whatever_it_is(texts):
    together = PIECES.ids(texts)
    assert together == [PIECES.ids([text])[0] for text in texts]


def test_an_appeal_in_capitals_is_an_appeal():
    appeal = "Unser Blatt lebt von freiwilligen Beiträgen. Spenden Sie jetzt an unsere Redaktion!"
    classifier = Classifier()
    assert [p.label for p in classifier.predict(appeal.upper())] == ["donation_request"]
    assert [p.label for p in classifier.predict(appeal)] == ["donation_request"]
