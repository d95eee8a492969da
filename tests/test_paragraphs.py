"""Splitting and offsets."""

from hypothesis import example, given
from hypothesis import strategies as st

from boilerplate_clf.text import split_paragraphs, trim

ODD = st.text(
    st.one_of(
        st.characters(),  # surrogates included
        st.sampled_from("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029 \t\u00a0\u00ad\u200b\ufeff\u202eaÄß."),
    )
)


def parts(text):
    return [text[start:end] for start, end in split_paragraphs(text)]


def test_one_block_per_line():
    assert parts("Eins\nZwei\n\nDrei") == ["Eins", "Zwei", "Drei"]


def test_all_line_ends():
    for end in ("\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"):
        assert parts(f"Eins{end}Zwei") == ["Eins", "Zwei"], repr(end)


def test_blank_lines_of_invisible_characters_are_no_paragraphs():
    assert parts("Eins\n\u00a0\u200b\ufeff\u00ad \nZwei") == ["Eins", "Zwei"]


def test_ends_are_trimmed_and_the_inside_stays():
    assert parts("\ufeff \u00a0Bitte\u00a0ver\u00adzichten  Sie\u200b \t") == [
        "Bitte\u00a0ver\u00adzichten  Sie"
    ]


def test_empty():
    assert parts("") == []
    assert parts(" \n\u2028\n") == []


@given(ODD)
@example("a" + " " * 5000 + "b")
def test_spans_are_in_order_and_lose_nothing_visible(text):
    spans = list(split_paragraphs(text))
    at, visible = 0, 0
    for start, end in spans:
        assert at <= start < end <= len(text)
        assert trim(text, start, end) == (start, end)
        assert len(text[start:end].splitlines()) == 1
        at = end
        visible += len(text[start:end])
    between = "".join(
        text[a:b]
        for a, b in zip([0, *(e for _, e in spans)], [*(s for s, _ in spans), len(text)], strict=True)
    )
    assert trim(between) == (0, 0)


INVISIBLE = {"\x00", "\u00ad", "\ufeff", *map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F)))}
INVISIBLE |= set(map(chr, range(0x2060, 0x206A)))


def plain(text):
    """Split as simply as can be."""
    found, at = [], 0
    for line in text.splitlines(keepends=True):
        seen = [i for i, c in enumerate(line) if not (c.isspace() or c in INVISIBLE)]
        if seen:
            found.append((at + seen[0], at + seen[-1] + 1))
        at += len(line)
    return found


@given(ODD)
@example("".join(f"a{chr(c)}b" for c in range(0x3100)))
@example(" Ver-\nwaltung\u00ad\nsrat ¬\n👩\u200d👩\u200d👧\r\r\n\u2067x\u2069 ")
def test_it_splits_as_the_plainest_code_does(text):
    assert list(split_paragraphs(text)) == plain(text)


@given(ODD)
def test_splitting_a_paragraph_again_gives_itself(text):
    for start, end in split_paragraphs(text):
        part = text[start:end]
        assert list(split_paragraphs(part)) == [(0, len(part))]
