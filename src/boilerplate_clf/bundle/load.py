"""Loading a bundle: every byte is checked before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from boilerplate_clf.bundle.manifest import MANIFEST, MODEL, NGRAMS, TOKENIZER, FileEntry, Manifest
from boilerplate_clf.bundle.onnx_safety import check_onnx
from boilerplate_clf.errors import BundleFormatError, BundleIntegrityError, BundleNotFoundError
from boilerplate_clf.files import sha256_bytes
from boilerplate_clf.limits import MAX_BUNDLE_FILE_BYTES, MAX_MANIFEST_BYTES

SHIPPED = "de-news-small"
"""Name of the bundle that comes with the package."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, in memory."""

    path: Path
    manifest: Manifest
    model: bytes
    tokenizer_json: str
    ngrams: bytes | None
    """Of the n-gram model; None: the bundle has none."""


def shipped_bundle() -> Path:
    """Return the folder of the shipped bundle: in the installed wheel, or in a working tree.

    Raises:
        BundleNotFoundError: the package was installed without it.
    """
    return _shipped(SHIPPED, MANIFEST)


def shipped_encoder() -> Path:
    """Return the folder of the shipped pre-trained encoder, from which retraining starts.

    Raises:
        BundleNotFoundError: the package was installed without it.
    """
    return _shipped(f"{SHIPPED}-encoder", "model.safetensors")


def _shipped(name: str, file: str) -> Path:
    package = Path(__file__).resolve().parent.parent
    # The wheel holds models/ inside the package; an editable install sees the repository's.
    for folder in (package / "models", package.parent.parent / "models"):
        if (folder / name / file).is_file():
            return folder / name
    raise BundleNotFoundError(
        f"the shipped model {name!r} is not installed: reinstall boilerplate-clf, "
        "or pass the folder of another"
    )


def load_bundle(path: Path) -> Bundle:
    """Read and verify the bundle in folder ``path``.

    Raises:
        BundleNotFoundError: no such folder, or no ``bundle.json`` in it.
        BundleFormatError: ``bundle.json`` is not valid, or the tokenizer does not fit it.
        BundleIntegrityError: a file is missing, altered, oversized or a link out of the folder.
        UnsafeModelError: the ONNX file refers to other files or foreign operators.
    """
    manifest_path = path / MANIFEST
    if not path.is_dir():
        raise BundleNotFoundError(f"{path}: no such folder: give the folder of a model bundle")
    if not manifest_path.is_file():
        raise BundleNotFoundError(f"{path}: no {MANIFEST} in this folder: it is not a model bundle")
    if manifest_path.stat().st_size > MAX_MANIFEST_BYTES:
        raise BundleIntegrityError(f"{manifest_path}: larger than {MAX_MANIFEST_BYTES:,} bytes")
    try:
        text = manifest_path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BundleFormatError(f"{manifest_path}: not UTF-8") from error
    try:
        manifest = Manifest.from_json(text)
    except BundleFormatError as error:
        raise BundleFormatError(f"{path}: {error}") from error
    contents = {name: _read_verified(path, name, entry) for name, entry in manifest.files.items()}
    check_onnx(contents[MODEL], str(path / MODEL))
    try:
        tokenizer_json = contents[TOKENIZER].decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleFormatError(f"{path / TOKENIZER}: not UTF-8") from error
    ngrams = contents[NGRAMS] if manifest.ngram_weight else None
    return Bundle(path, manifest, contents[MODEL], tokenizer_json, ngrams)


def _read_verified(folder: Path, name: str, entry: FileEntry) -> bytes:
    path = folder / name
    if not path.is_file():
        raise BundleIntegrityError(f"{path}: missing, though {MANIFEST} lists it")
    if path.resolve().parent != folder.resolve():
        raise BundleIntegrityError(f"{path}: a link that leads out of the bundle")
    if entry.size > MAX_BUNDLE_FILE_BYTES:
        raise BundleIntegrityError(f"{path}: larger than {MAX_BUNDLE_FILE_BYTES:,} bytes")
    if (size := path.stat().st_size) != entry.size:
        raise BundleIntegrityError(f"{path}: {size:,} bytes, but {MANIFEST} says {entry.size:,}")
    data = path.read_bytes()
    if sha256_bytes(data) != entry.sha256:
        raise BundleIntegrityError(f"{path}: altered: its SHA-256 is not the one in {MANIFEST}")
    return data
