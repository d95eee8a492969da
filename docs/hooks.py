"""What the site shows of the rest of the repository: pages that lie elsewhere, linked files, modules."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "src/boilerplate_clf"

PAGES = {
    "README.md": "index.md",
    "benchmarks/README.md": "benchmarks.md",
    "models/de-news-small/README.md": "model-card.md",
    "models/de-news-small-encoder/README.md": "encoder-card.md",
    "training/README.md": "training.md",
    "training/ERRORS.md": "errors.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
"""File of the repository -> page of the site. All others lie in docs/ already."""

_LINK = re.compile(r"\[([^]]*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
_MODULES = "<!-- modules -->"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave pages out of the navigation whose files are not there (yet)."""
    config.nav = [_present(entry) for entry in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere, and every file that a page links to."""
    for origin, name in _pages().items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / origin)))
    for page in files.documentation_pages():
        for path in map(_resolver(page.src_uri), links(page.content_string)):
            if (ROOT / path).is_file() and files.get_file_from_path(site_path(path)) is None:
                files.append(File.generated(config, site_path(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages; fill in the table of modules.

    A folder is no page: its name stays.
    """
    resolve = _resolver(page.file.src_uri)
    folder = posixpath.dirname(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        if not is_local(match[2]):
            return match[0]
        target, anchor = urldefrag(match[2])
        place = site_path(resolve(target))
        if files.get_file_from_path(place) is None and (ROOT / resolve(target)).is_dir():
            return match[1]
        path = posixpath.relpath(place, folder or ".")
        return f"[{match[1]}]({path}#{anchor})" if anchor else f"[{match[1]}]({path})"

    parts = re.split(f"({_FENCE.pattern})", markdown, flags=_FENCE.flags)
    parts[::2] = [_LINK.sub(link, part) for part in parts[::2]]
    markdown = "".join(parts)
    return markdown.replace(_MODULES, modules()) if _MODULES in markdown else markdown


def links(markdown: str) -> list[str]:
    """Return what a page links to within the repository, without anchors."""
    found = _LINK.findall(_FENCE.sub("", markdown))
    return [urldefrag(target)[0] for _, target in found if is_local(target)]


def is_local(target: str) -> bool:
    """Tell whether a link goes to another file."""
    return not re.match(r"[a-z]+:|#", target)


def site_path(path: str) -> str:
    """Return where a file of the repository is on the site."""
    if path in PAGES:
        return PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return "architecture.md" if path.startswith(PACKAGE) else f"repository/{path.lstrip('.')}"


def modules() -> str:
    """Return a table per folder of the package: what each module says of itself in its first line."""
    lines = []
    folders = sorted({path.parent for path in (ROOT / PACKAGE).rglob("*.py")})
    for folder in folders:
        name = folder.relative_to(ROOT / PACKAGE).as_posix()
        lines += ["", f"### `{name}/`" if name != "." else "### At the top", ""]
        lines += [_first_line(folder / "__init__.py"), "", "| module | |", "|---|---|"]
        files = [path for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
        lines += [f"| `{path.name}` | {_first_line(path)} |" for path in files]
        if not files:
            del lines[-2:]
    return "\n".join(lines)


def _pages() -> dict[str, str]:
    return {origin: name for origin, name in PAGES.items() if (ROOT / origin).exists()}


def _present(entry: dict[str, Any]) -> dict[str, Any]:
    there = {*_pages().values(), *(path.name for path in (ROOT / "docs").glob("*.md"))}
    return {
        title: [item for item in part if there.issuperset(item.values())] if isinstance(part, list) else part
        for title, part in entry.items()
    }


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text.partition("\n")[0]).replace("``", "`")


def _resolver(page: str) -> Callable[[str], str]:
    """Return a function from what a page links to, to the file of the repository."""
    origin = next((path for path, name in PAGES.items() if name == page), f"docs/{page}")
    return lambda target: posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
