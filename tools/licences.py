"""Write the tables of docs/licences.md: what the bills of materials in dist/ say, and the data.

    make licences

The data's rows come from ../shared/corpora/SOURCES.md where that is at hand, and else stay as they are.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
SOURCES = ROOT.parent / "shared" / "corpora" / "SOURCES.md"

# What the bills of materials leave out: the packages' own metadata have it, under no name that SPDX knows.
READ = {
    "curl_cffi": "MIT",
    "protobuf": "BSD-3-Clause",
    "ray": "Apache-2.0",
    "transformers": "Apache-2.0",
}
# Older metadata name a kind of licence only; SPDX's names where that is unambiguous.
CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD",  # with two clauses or three is not said
    "License :: OSI Approved :: GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
}
PERMISSIVE = re.compile(
    r"0BSD|BSD|Apache-2\.0|BSD-[234]-Clause|CC0-1\.0|CNRI-Python|HPND|ISC|MIT(-0|-CMU)?|PSF-2\.0|Python-2\.0(\.1)?"
    r"|Unlicense|Zlib|ZPL-2\.1|BSL-1\.0|LLVM-exception"
)
STRONG = re.compile(r"\b(A?GPL|OSL|EUPL|SSPL)")
WEAK = re.compile(r"\b(LGPL|MPL|EPL|CDDL)")


def declared(component: dict[str, Any]) -> str:
    """Return the licences that a component declares, as SPDX where it does."""
    found: list[str] = []
    for entry in component.get("licenses", []):
        licence = entry.get("license", {})
        name = entry.get("expression") or licence.get("id") or licence.get("name", "")
        name = CLASSIFIERS.get(name, name)
        if name and name not in found:
            found.append(name)
    exact = [name for name in found if "License ::" not in name]
    return " and ".join(exact or found)


def kind(licence: str) -> str:
    """Say what a licence asks of those who pass the package on: nothing, copyleft, or nobody knows."""
    if not licence:
        return "unknown"
    choices = [part.strip(" ()") for part in re.split(r"\bOR\b", licence)]
    kinds = [_kind_of_all(choice) for choice in choices]
    return min(kinds, key=("permissive", "weak copyleft", "copyleft", "unknown").index)


def _kind_of_all(licence: str) -> str:
    parts = [part.strip(" ()") for part in re.split(r"\b(?:AND|and|WITH)\b", licence)]
    if any(STRONG.search(part) and not WEAK.search(part) for part in parts):
        return "copyleft"
    if any(WEAK.search(part) for part in parts):
        return "weak copyleft"
    return "permissive" if all(PERMISSIVE.fullmatch(part) for part in parts) else "unknown"


def dependencies(dist: Path) -> str:
    """Return the table of all dependencies."""
    rows: dict[str, tuple[str, str, list[str]]] = {}
    for path in sorted(dist.glob("*.cdx.json"), key=lambda path: len(path.name)):
        extra = path.name.removesuffix(".cdx.json").rpartition("-")[2]
        extra = extra if not extra[0].isdigit() else "base"
        for component in json.loads(path.read_bytes())["components"]:
            name = component["name"]
            licence = declared(component) or READ.get(name, "")
            rows.setdefault(name, (component["version"], licence, []))[2].append(extra)
    lines = ["| package | version | licence | kind | comes with |", "|---|---|---|---|---|"]
    for name, (version, licence, extras) in sorted(rows.items(), key=lambda row: row[0].lower()):
        where = "base" if "base" in extras else ", ".join(sorted(extras))
        what = kind(licence)
        lines.append(
            f"| {name} | {version} | {licence or 'not declared'} | "
            f"{what if what == 'permissive' else f'**{what}**'} | {where} |"
        )
    return "\n".join(lines)


def corpora(sources: str) -> str:
    """Return the table of the corpora."""
    lines = ["| source | repository | licence, and where it was seen |", "|---|---|---|"]
    for line in sources.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 3 and re.match(r"[\w.-]+/[\w.-]+", cells[1]):
            lines.append(f"| `{cells[0]}` | {cells[1]} | {cells[3]} |")
    return "\n".join(lines)


def replace(page: str, name: str, table: str) -> str:
    """Put a table between its two markers.

    Raises:
        ValueError: the page lacks them.
    """
    start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    head, found, rest = page.partition(start)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"docs/licences.md lacks the markers of '{name}'")
    return head + start + table + end + tail


def main() -> None:
    """Write the page anew."""
    (dist,) = map(Path, sys.argv[1:])
    if not list(dist.glob("*.cdx.json")):
        sys.exit(f"licences.py: {dist} holds no bill of materials: make dist sbom")
    page = replace(PAGE.read_text(encoding="utf-8"), "dependencies", dependencies(dist))
    if SOURCES.exists():
        page = replace(page, "corpora", corpora(SOURCES.read_text(encoding="utf-8")))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
