"""What is wrong with labelled rows, said before a training is wasted on them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from boilerplate_clf.labels import CONTENT, Name
from boilerplate_clf.retrain.rows import Row
from boilerplate_clf.training.data import LabelledDocument
from boilerplate_clf.training.leakage import find_leaks

LEAST_EXAMPLES = 8
"""Different texts of a label below which training on it is pointless."""

FEW_EXAMPLES = 40
"""Different texts of a label below which more would help much."""

MAX_LABELS = 40
LONG_CHARS = 4_000
"""A paragraph this long is probably a whole article in one cell."""

_SHOWN = 8
_GERMAN = re.compile(
    r"\b(?:der|die|das|und|oder|nicht|ist|sind|wir|sie|ihr|ihre|ihren|mit|für|auf|aus|bei|nach|von|zu|zum|zur|im"
    r"|in|den|dem|des|ein|eine|einen|einer|es|auch|als|an|wie|hier|jetzt|alle|mehr|unser|unsere|uns|ihnen|werden"
    r"|wird|haben|hat|kann|können|bitte|über|um|noch|nur|so|was|wenn|dass|ich|du|dein|deine)\b",
    re.I,
)
_MOJIBAKE = re.compile(r"Ã[\x80-\xBF¤¶¼Ÿ„–œ]|â€|Â[ \xa0»«]|\ufffd")
_MARKUP = re.compile(
    r"</?(?:p|div|span|a|br|strong|em|b|i|li|ul)\b[^>]*>|&(?:nbsp|amp|quot|[aou]uml|#\d+);", re.I
)


class Level(Name):
    """How bad a finding is."""

    ERROR = "error"
    """Training would give a worthless model, or cannot run; it is refused without ``force``."""
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """Something about the data, and what to do about it."""

    level: Level
    kind: str
    message: str
    remedy: str
    rows: tuple[str, ...] = ()
    """File and row of each case; all of them."""

    def __str__(self) -> str:
        """Return one line, with the first few rows."""
        places = ", ".join(self.rows[:_SHOWN]) + (
            f" and {len(self.rows) - _SHOWN} more" if len(self.rows) > _SHOWN else ""
        )
        return f"{self.level}: {self.message}{f' ({places})' if places else ''}. {self.remedy}."


@dataclass(frozen=True)
class Report:
    """The findings on some rows, worst first."""

    counts: dict[str, int]
    """Rows per label, most frequent first; "" counts the unlabelled ones."""
    documents: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> list[Finding]:
        """The findings for which training is refused."""
        return [finding for finding in self.findings if finding.level is Level.ERROR]


def check_rows(rows: Sequence[Row], *, keep_label: str = CONTENT) -> Report:
    """Look for everything that is known to spoil a training.

    Args:
        rows: from :func:`~boilerplate_clf.retrain.tables.read_rows`.
        keep_label: the label of what is to be kept.
    """
    counts = dict(Counter(row.label for row in rows).most_common())
    checks: tuple[Callable[[Sequence[Row]], Iterable[Finding]], ...] = (
        lambda some: _labels(some, keep_label),
        _spelling,
        _conflicts,
        _copies,
        _across_splits,
        _empty,
        _long,
        _damage,
        _markup,
        _language,
        _positions,
        _weights,
    )
    order = list(Level)
    found = sorted((f for check in checks for f in check(rows)), key=lambda f: order.index(f.level))
    documents = len({row.group for row in rows})
    return Report(counts, documents, tuple(found))


def _labels(rows: Sequence[Row], keep_label: str) -> Iterable[Finding]:
    labelled = [row for row in rows if row.label and row.text]
    texts: dict[str, set[str]] = defaultdict(set)
    for row in labelled:
        texts[row.label].add(row.key)
    if not labelled:
        remedy = "Fill in the column of labels, or name it with --label-column"
        yield Finding(Level.ERROR, "no_labels", "No row has a label", remedy)
        return
    if unlabelled := sum(1 for row in rows if not row.label):
        message = f"{unlabelled} of {len(rows)} rows have no label"
        remedy = "They are used as context only; annotate-next picks the ones worth labelling"
        yield Finding(Level.NOTE, "unlabelled", message, remedy)
    if len(texts) == 1:
        message = f"All rows have the same label, {next(iter(texts))!r}"
        remedy = "Add rows with another label, above all paragraphs of ordinary article text"
        yield Finding(Level.ERROR, "one_label", message, remedy)
    if len(texts) > MAX_LABELS:
        message = f"There are {len(texts)} different labels"
        remedy = f"At most {MAX_LABELS} can be learnt: is --label-column the right column?"
        yield Finding(Level.ERROR, "many_labels", message, remedy)
        return
    for label, different in texts.items():
        number = len(different)
        if number < LEAST_EXAMPLES:
            message = f"Label {label!r} has {number} different texts"
            remedy = f"Add examples: at least {LEAST_EXAMPLES}, better {FEW_EXAMPLES} and more"
            yield Finding(Level.ERROR, "too_few", message, remedy, _where(labelled, label))
        elif number < FEW_EXAMPLES:
            message = f"Label {label!r} has only {number} different texts"
            remedy = f"It will be learnt roughly; from {FEW_EXAMPLES} on it becomes reliable"
            yield Finding(Level.WARNING, "few", message, remedy)
    if keep_label not in texts:
        message = f"No row has the label {keep_label!r}"
        remedy = "Text to be kept needs a label of its own: add such rows, or name yours with --keep-label"
        yield Finding(Level.WARNING, "no_keep_label", message, remedy)


def _where(rows: Sequence[Row], label: str) -> tuple[str, ...]:
    return tuple(row.where for row in rows if row.label == label)


def _spelling(rows: Sequence[Row]) -> Iterable[Finding]:
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.label:
            spellings[re.sub(r"[\s_-]+", " ", row.label).casefold()][row.label] += 1
    for variants in spellings.values():
        if len(variants) > 1:
            shown = ", ".join(repr(name) for name in variants)
            rare = variants.most_common()[-1][0]
            remedy = "Write each label in one way"
            yield Finding(
                Level.ERROR,
                "label_spelling",
                f"Labels that look the same: {shown}",
                remedy,
                _where(rows, rare),
            )


def _conflicts(rows: Sequence[Row]) -> Iterable[Finding]:
    """The same longer text under two labels; short lines may rightly differ by their place."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.label and len(row.text.split()) >= 4:
            groups[row.key].append(row)
    clashing = [g for g in groups.values() if len({row.label for row in g}) > 1]
    if clashing:
        places = tuple(row.where for group in clashing for row in group)
        message = f"{len(clashing)} texts have different labels in different rows"
        yield Finding(Level.WARNING, "conflict", message, "Decide for one label each", places)


def _copies(rows: Sequence[Row]) -> Iterable[Finding]:
    first: dict[tuple[str, str], str] = {}
    again: list[str] = []
    for row in rows:
        if row.text and not row.document:
            if (key := (row.key, row.label)) in first:
                again.append(row.where)
            first.setdefault(key, row.where)
    if again:
        message = f"{len(again)} rows repeat an earlier row word for word"
        yield Finding(Level.NOTE, "copies", message, "Delete them: they teach nothing new", tuple(again))


def _across_splits(rows: Sequence[Row]) -> Iterable[Finding]:
    """Longer texts of `train` that nearly stand in `dev` or `test`, too."""
    aside = [_lone(row) for row in rows if row.split in ("dev", "test")]
    leaks = find_leaks((_lone(row) for row in rows if row.split == "train"), aside)
    if leaks:
        message = f"{len(leaks)} rows of split 'train' nearly stand in 'dev' or 'test', too"
        remedy = "Take them out of one of the two: figures would be flattered"
        yield Finding(Level.ERROR, "leak", message, remedy, tuple(leak.page for leak in leaks))
    documents: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.document and row.split:
            documents[row.document].add(row.split)
    torn = [name for name, splits in documents.items() if len(splits) > 1]
    if torn:
        message = f"{len(torn)} documents lie in several splits"
        yield Finding(Level.ERROR, "torn_document", message, "Give a document one split", tuple(torn))


def _lone(row: Row) -> LabelledDocument:
    """Return the row as a document that is called after its place."""
    return LabelledDocument(row.where, row.where, (row.text,), (row.label,))


def _empty(rows: Sequence[Row]) -> Iterable[Finding]:
    places = tuple(row.where for row in rows if not row.text)
    if places:
        level = Level.ERROR if len(places) == len(rows) else Level.WARNING
        message = f"{len(places)} rows have no text"
        yield Finding(level, "empty", message, "They are left out; fill in the text or delete them", places)


def _long(rows: Sequence[Row]) -> Iterable[Finding]:
    return _texts(
        rows,
        lambda text: len(text) > LONG_CHARS,
        "long",
        f"are longer than {LONG_CHARS:,} characters",
        "Put one paragraph into a row: only beginning and end of a long text are read",
    )


def _damage(rows: Sequence[Row]) -> Iterable[Finding]:
    return _texts(
        rows,
        _MOJIBAKE.search,
        "encoding",
        "have damaged characters (such as 'Ã¤' for 'ä')",
        "Export the file anew as UTF-8",
    )


def _markup(rows: Sequence[Row]) -> Iterable[Finding]:
    return _texts(
        rows,
        _MARKUP.search,
        "markup",
        "contain HTML tags or entities",
        "Strip them, unless the texts to be labelled later have them as well",
    )


def _texts(
    rows: Sequence[Row], spoilt: Callable[[str], object], kind: str, what: str, remedy: str
) -> Iterable[Finding]:
    """Warn of the rows whose text is ``spoilt``."""
    places = tuple(row.where for row in rows if spoilt(row.text))
    if places:
        yield Finding(Level.WARNING, kind, f"{len(places)} texts {what}", remedy, places)


def _language(rows: Sequence[Row]) -> Iterable[Finding]:
    """Longer texts without a single one of the commonest German words."""
    foreign = []
    for row in rows:
        words = re.findall(r"[^\W\d_]+", row.text)
        if len(words) >= 12 and not _GERMAN.search(row.text):
            foreign.append(row.where)
    if foreign:
        level = Level.WARNING if len(foreign) > len(rows) / 20 else Level.NOTE
        message = f"{len(foreign)} texts do not look German"
        yield Finding(level, "language", message, "The encoder has read German only", tuple(foreign))


def _positions(rows: Sequence[Row]) -> Iterable[Finding]:
    seen: set[tuple[str, float]] = set()
    twice = []
    for row in rows:
        if row.document and row.position:
            if (row.document, row.position) in seen:
                twice.append(row.where)
            seen.add((row.document, row.position))
    if twice:
        message = f"{len(twice)} rows have the same document and position as another"
        yield Finding(Level.WARNING, "position", message, "Number the paragraphs of a document", tuple(twice))


def _weights(rows: Sequence[Row]) -> Iterable[Finding]:
    if rows and not any(row.weight for row in rows):
        yield Finding(Level.ERROR, "weights", "All rows have weight 0", "Give weights above 0, or none")


def first_lines(findings: Sequence[Finding], number: int = 3) -> str:
    """Return the first findings as one line, for an error message."""
    return " ".join(str(finding) for finding in findings[:number])
