"""One self-contained HTML page: articles with their paragraphs coloured by label.

No script, no external request: the view is switched by radio buttons and CSS, the colours follow the
reader's light or dark scheme. All text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from boilerplate_clf.inference.document import Document, Paragraph

_HUES = (38, 300, 190, 120, 220, 350, 80, 265)
"""Of the labels other than the kept one, in the model's order."""

_STYLE = """\
:root { color-scheme: light dark; --bg: #fdfdfb; --ink: #1c1c1a; --dim: #66645e; --line: #dcdad2;
  --light: 93%; --edge: 42%; --mark: 78%; }
@media (prefers-color-scheme: dark) { :root { --bg: #161615; --ink: #e8e6df; --dim: #a3a096;
  --line: #3a3934; --light: 17%; --edge: 62%; --mark: 32%; } }
body { margin: 0 auto; max-width: 54rem; padding: 1.5rem 1rem 4rem; background: var(--bg);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.15rem; margin: 0; } h2 { font-size: 1rem; margin: 2.5rem 0 .5rem;
  overflow-wrap: anywhere; }
header p, .score { color: var(--dim); font-size: .85rem; }
fieldset { border: 0; padding: 0; margin: .75rem 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
legend { float: left; margin-right: 1.25rem; }
.key { display: flex; flex-wrap: wrap; gap: .25rem .75rem; padding: 0; margin: .75rem 0; list-style: none; }
.p { border-left: .3rem solid transparent; padding: .3rem .75rem; margin: .15rem 0;
  overflow-wrap: anywhere; white-space: pre-wrap; }
.badge { display: inline-block; font-size: .78rem; border-radius: .25rem; padding: 0 .4rem;
  margin-right: .5rem; white-space: nowrap; }
.removed { background: hsl(var(--h) 60% var(--light)); border-color: hsl(var(--h) 65% var(--edge)); }
.badge.of { background: hsl(var(--h) 60% var(--light)); border: 1px solid hsl(var(--h) 65% var(--edge)); }
.badge.kept { border: 1px solid var(--line); color: var(--dim); }
mark { background: hsl(var(--h) 70% var(--mark)); color: inherit; border-radius: .2rem; }
body:has(#kept:checked) .removed, body:has(#cut:checked) .p.kept { display: none; }
.none { color: var(--dim); }
"""


def render_html(documents: Iterable[tuple[str, Document]]) -> Iterator[str]:
    """Yield the page in pieces, a document at a time.

    Args:
        documents: (name of the source, labelled document), all of one model.
    """
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>boilerplate-clf</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
    )
    hues: dict[str, int] = {}
    for number, (source, document) in enumerate(documents):
        if number == 0:
            others = [str(name) for name in document.labels if name != document.keep_label]
            hues = {name: _HUES[i % len(_HUES)] for i, name in enumerate(others)}
            yield _head(document, hues)
        yield _document(source, document, hues)
    if not hues:
        yield '<p class="none">No documents.</p>\n'
    yield "</body>\n</html>\n"


def _head(document: Document, hues: dict[str, int]) -> str:
    key = "".join(f"<li>{_badge(name, hue)}</li>" for name, hue in hues.items())
    views = "".join(
        f'<label><input type="radio" name="view" id="{name}"{" checked" if name == "all" else ""}> '
        f"{text}</label>"
        for name, text in (("all", "everything"), ("kept", "kept only"), ("cut", "removed only"))
    )
    model = escape(f"{document.model.name} {document.model.version}, mode {document.mode}")
    return (
        f"<header>\n<h1>boilerplate-clf</h1>\n<p>{model}</p>\n"
        f"<fieldset><legend>Show</legend>{views}</fieldset>\n"
        f'<ul class="key" aria-label="Labels">{key}</ul>\n</header>\n'
    )


def _badge(label: str, hue: int | None) -> str:
    if hue is None:
        return f'<span class="badge kept">{escape(label)}</span>'
    return f'<span class="badge of" style="--h: {hue}">{escape(label)}</span>'


def _document(source: str, document: Document, hues: dict[str, int]) -> str:
    count = f"{len(document)} paragraphs, {len(document.removed)} removed"
    rows = "".join(_paragraph(p, document.keep_label, hues) for p in document)
    if not rows:
        rows = '<p class="none">An empty document.</p>\n'
    head = f'<h2>{escape(source)} <span class="score">{count}</span></h2>'
    return f'<article lang="de">\n{head}\n{rows}</article>\n'


def _paragraph(p: Paragraph, keep: str, hues: dict[str, int]) -> str:
    scores = ", ".join(f"{name} {value:.2f}" for name, value in p.scores.items())
    title = escape(f"{scores}; {p.reason}", quote=True)
    hue = hues.get(str(p.label))
    kept = p.label == keep
    note = ""
    if p.raw_label != p.label:
        note = f" (likeliest: {escape(str(p.raw_label))} {p.scores[p.raw_label]:.2f})"
    badge = _badge(str(p.label), hue) if not kept or note else ""
    score = f'<span class="score">{p.score:.2f}{note}</span> ' if badge else ""
    style = f' style="--h: {hue}"' if hue is not None else ""
    side = "kept" if kept else "removed"
    return f'<div class="p {side}"{style} title="{title}">{badge}{score}{_marked(p)}</div>\n'


def _marked(p: Paragraph) -> str:
    parts, at = [], 0
    for phrase in sorted(p.because, key=lambda phrase: phrase.start):
        parts.append(escape(p.text[at : phrase.start]))
        tip = f"influence {phrase.influence:+.1f}"
        parts.append(f'<mark title="{tip}">{escape(p.text[phrase.start : phrase.end])}</mark>')
        at = phrase.end
    parts.append(escape(p.text[at:]))
    return "".join(parts)
