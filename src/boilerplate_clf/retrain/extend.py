"""Labels beside those of a model: the bundle of the new ones becomes the old one's extension."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from boilerplate_clf.bundle.load import Bundle, load_bundle, shipped_bundle
from boilerplate_clf.bundle.manifest import CARD, EXTENSION, MANIFEST, FileEntry
from boilerplate_clf.errors import DataError
from boilerplate_clf.files import sha256_file

SHIPPED_BASE = "shipped"
"""Name of what comes with the package, as ``base``: its encoder, or with ``extend`` its bundle."""


def bundle_to_extend(base: str) -> Bundle:
    """Return the bundle in the folder ``base``, or the shipped one.

    Raises:
        DataError: it has been extended before.
        BundleError: there is none, or it cannot be used.
    """
    bundle = load_bundle(shipped_bundle() if base == SHIPPED_BASE else Path(base))
    if bundle.extension is not None:
        raise DataError(
            f"{bundle.path}: has labels added to it already: extend the model that it was made from, "
            "with the rows of all new labels together"
        )
    return bundle


def join(bundle: Bundle, extension: Path, target: Path, name: str) -> None:
    """Write a bundle of a model and its extension into the new folder ``target``.

    Args:
        bundle: the model, which is copied as it is.
        extension: folder of the bundle of the new labels.
        target: of the joined bundle.
        name: its name.
    """
    target.mkdir(parents=True)
    for file in bundle.manifest.files:
        shutil.copy(bundle.path / file, target / file)
    shutil.copytree(extension, target / EXTENSION)
    written = target / EXTENSION / MANIFEST
    entry = FileEntry(sha256_file(written), written.stat().st_size)
    before = f"{bundle.manifest.name} {bundle.manifest.version}"
    manifest = replace(bundle.manifest, name=name, version="1", extension=entry)
    manifest.write(target / MANIFEST)
    joined = load_bundle(target)
    added = ", ".join(f"`{label}`" for label in joined.labels if label not in bundle.labels)
    (target / CARD).write_text(
        f"# {name}\n\nThe model {before} with the labels {added} added to its own. Its scores are unchanged "
        f"but for the share that the new labels take. How those were made: `{EXTENSION}/{CARD}`.\n",
        encoding="utf-8",
    )
