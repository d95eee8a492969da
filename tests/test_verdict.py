"""The verdict on a document: what is in it, and whether a paywall cut it off."""

import pytest

from boilerplate_clf.inference.document import Paragraph
from boilerplate_clf.inference.verdict import summarise

TEXT = (
    "Der Gemeinderat hat am Montagabend nach langer Debatte beschlossen, das alte Freibad zu erhalten. " * 3
)
READ_ON = "Jetzt weiterlesen mit dem Monatsabo"
NEWSLETTER = "Bestellen Sie unseren Newsletter: das Wichtigste am Morgen"


def verdict(*parts, free=None):
    paragraphs = [
        Paragraph(i, 0, len(text), text, label, 0.9, {label: 0.9}, label, "likeliest")
        for i, (label, text) in enumerate(parts)
    ]
    return summarise(paragraphs, "content", free)


C, S = "content", "subscription_appeal"


def test_shares_and_counts():
    found = verdict((C, "x" * 75), (S, "y" * 20), ("donation_request", "z" * 5))
    assert found.content_share == 0.75 and found.appeals == {S: 1, "donation_request": 1}
    assert verdict().to_dict() == {"content_share": 1.0, "appeals": {}, "cut_off": False, "evidence": []}


CUT = {
    "a beginning, then the notice": [(C, "Titel"), (C, TEXT), (S, READ_ON), (S, "9 Euro im Monat")],
    "short lines after it": [(C, TEXT), (S, READ_ON), (C, "Mehr aus dem Ressort"), (C, "Impressum")],
    "a badge above, the notice below": [(S, "Exklusiv für Abonnenten"), (C, TEXT), (S, READ_ON)],
}
WHOLE = {
    "no notice": [(C, TEXT)],
    "a newsletter box only": [(C, TEXT), (S, NEWSLETTER)],
    "the text goes on": [(C, TEXT), (S, READ_ON), (C, TEXT)],
    "a long article with an offer at its end": [(C, TEXT)] * 15 + [(S, READ_ON)],
    "an article about such notices": [(C, TEXT), (C, READ_ON)],
}


@pytest.mark.parametrize("parts", CUT.values(), ids=CUT)
def test_cut_off(parts):
    found = verdict(*parts)
    assert found.cut_off and len(found.evidence) == 1 and "asks to read on" in found.evidence[0]


@pytest.mark.parametrize("parts", WHOLE.values(), ids=WHOLE)
def test_not_cut_off(parts):
    assert verdict(*parts) == verdict(*parts, free=True)
    assert not verdict(*parts).cut_off and not verdict(*parts).evidence


def test_what_the_page_says_of_itself_is_evidence_but_not_enough():
    alone = verdict((C, TEXT), free=False)
    assert not alone.cut_off and alone.evidence == ("the page says that it is not accessible for free",)
    assert verdict((C, TEXT), (S, READ_ON), (C, TEXT), free=False).cut_off
    assert not verdict((C, TEXT), (S, NEWSLETTER), free=False).cut_off
