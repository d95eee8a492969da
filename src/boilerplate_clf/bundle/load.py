"""Loading a bundle: every byte is checked before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from boilerplate_clf.bundle.manifest import (
    ACCURATE,
    CARD,
    EXTENSION,
    MANIFEST,
    MODEL,
    NGRAMS,
    TOKENIZER,
    FileEntry,
    Manifest,
)
from boilerplate_clf.bundle.onnx_safety import check_onnx, output_width
from boilerplate_clf.errors import BundleError, BundleFormatError, BundleIntegrityError, BundleNotFoundError
from boilerplate_clf.files import sha256_bytes
from boilerplate_clf.limits import MAX_BUNDLE_FILE_BYTES, MAX_MANIFEST_BYTES

SHIPPED = "de-news-small"
"""Name of the bundle that comes with the package."""

NAMED_MODELS = {"fast": MANIFEST, "accurate": ACCURATE}
"""What ``model`` may be instead of a folder -> manifest of the shipped bundle."""

_NAMED = 5
"""Of the files that do not belong to a bundle, so many are named."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, in memory."""

    path: Path
    """Its folder."""
    manifest: Manifest
    model: bytes | None
    """The encoder's ONNX file; None: the bundle has none."""
    tokenizer_json: str
    """Empty where there is no encoder."""
    ngrams: bytes | None
    """Of the n-gram model; None: the bundle has none."""
    extension: Bundle | None = None
    """The model of the labels that were added; None: there are none."""
    manifest_name: str = MANIFEST

    @property
    def manifest_path(self) -> Path:
        """The file that ``manifest`` was read from."""
        return self.path / self.manifest_name

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels: the model's, then those that its extension adds."""
        return (*self.manifest.labels, *self._added)

    @property
    def thresholds(self) -> dict[str, dict[str, float]]:
        """Mode -> label -> least probability, of all labels."""
        own = {mode: dict(values) for mode, values in self.manifest.thresholds.items()}
        if self.extension is not None:
            for mode, values in self.extension.thresholds.items():
                own.setdefault(mode, {}).update(
                    {label: value for label, value in values.items() if label in self._added}
                )
        return own

    @property
    def precision(self) -> dict[str, tuple[tuple[float, float], ...]]:
        """Label -> (threshold, precision from there on), of all labels."""
        added = self.extension.precision if self.extension is not None else {}
        return {**{label: added[label] for label in self._added if label in added}, **self.manifest.precision}

    @property
    def _added(self) -> tuple[str, ...]:
        if self.extension is None:
            return ()
        manifest = self.extension.manifest
        return tuple(label for label in manifest.labels if label != manifest.keep_label)


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


def find_bundle(model: str | Path | None = None) -> Path:
    """Return what :func:`load_bundle` takes.

    Args:
        model: folder of a bundle (or a manifest in it), or ``fast`` or ``accurate``: the shipped bundle,
            behind its cascade or reading everything; None is ``fast``.

    Raises:
        BundleNotFoundError: the package was installed without the shipped bundle.
    """
    name = "fast" if model is None else str(model)
    if name not in NAMED_MODELS:
        return Path(name)
    manifest = NAMED_MODELS[name]
    folder = _shipped(SHIPPED, manifest)
    return folder if manifest == MANIFEST else folder / manifest


def manifest_path(path: Path) -> Path:
    """Return the manifest that :func:`load_bundle` reads of a folder, or of a manifest in it."""
    return path if path.name in NAMED_MODELS.values() and path.is_file() else path / MANIFEST


def load_bundle(path: Path) -> Bundle:
    """Read and verify the bundle in folder ``path``.

    Args:
        path: the folder, or its ``bundle.json`` or ``accurate.json``.

    Raises:
        BundleNotFoundError: no such folder, or no ``bundle.json`` in it.
        BundleFormatError: ``bundle.json`` is not valid, or the ONNX file is for another number of labels.
        BundleIntegrityError: a file is missing, altered, oversized, unreadable, not listed in ``bundle.json``
            or a link out of the folder.
        UnsafeModelError: the ONNX file refers to other files or foreign operators.
    """
    try:
        manifest = manifest_path(path)
        return _load(manifest.parent, None, manifest.name)
    except OSError as error:
        place, cause = error.filename or path, error.strerror or error
        raise BundleIntegrityError(f"{place}: cannot be read: {cause}") from error


def _load(path: Path, expected: FileEntry | None, name: str = MANIFEST) -> Bundle:
    """Load a bundle by the manifest ``name``; an extension's must be the ``expected`` one."""
    manifest_path = path / name
    if not path.is_dir():
        names = " or ".join(NAMED_MODELS)
        raise BundleNotFoundError(f"{path}: no such folder: give the folder of a model bundle, or {names}")
    if not manifest_path.is_file():
        raise BundleNotFoundError(f"{path}: no {name} in this folder: it is not a model bundle")
    _refuse_links(path, name)
    if manifest_path.stat().st_size > MAX_MANIFEST_BYTES:
        raise BundleIntegrityError(f"{manifest_path}: larger than {MAX_MANIFEST_BYTES:,} bytes")
    data = manifest_path.read_bytes() if expected is None else _read_verified(path, name, expected, MANIFEST)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleFormatError(f"{manifest_path}: not UTF-8") from error
    try:
        manifest = Manifest.from_json(text)
    except BundleError as error:
        raise type(error)(f"{manifest_path}: {error}") from error
    _refuse_others(path, manifest, name)
    contents = {file: _read_verified(path, file, entry, name) for file, entry in manifest.files.items()}
    model, tokenizer_json = None, ""
    if manifest.windows is not None:
        model = contents[MODEL]
        check_onnx(model, str(path / MODEL))
        if (width := output_width(model)) not in (None, len(manifest.labels)):
            raise BundleFormatError(
                f"{path / MODEL}: gives {width} scores a paragraph, but {name} has "
                f"{len(manifest.labels)} labels"
            )
        try:
            tokenizer_json = contents[TOKENIZER].decode("utf-8")
        except UnicodeDecodeError as error:
            raise BundleFormatError(f"{path / TOKENIZER}: not UTF-8") from error
    ngrams = contents[NGRAMS] if manifest.ngram_weight else None
    extension = None
    if manifest.extension is not None:
        if expected is not None:
            raise BundleFormatError(f"{path}: an extension cannot have an extension itself")
        _refuse_links(path, EXTENSION)
        extension = _load(path / EXTENSION, manifest.extension)
        if extension.manifest.keep_label != manifest.keep_label:
            raise BundleFormatError(f"{path}: model and extension keep different labels")
    bundle = Bundle(path, manifest, model, tokenizer_json, ngrams, extension, name)
    if twice := [label for label in set(bundle.labels) if bundle.labels.count(label) > 1]:
        raise BundleFormatError(f"{path}: the extension adds labels that are there already: {sorted(twice)}")
    return bundle


def _refuse_others(folder: Path, manifest: Manifest, name: str) -> None:
    """Refuse what the manifest called ``name`` does not list; the card is for people, and never read."""
    listed = {MANIFEST, ACCURATE, CARD, *manifest.files, *((EXTENSION,) if manifest.extension else ())}
    if others := sorted({item.name for item in folder.iterdir()} - listed):
        raise BundleIntegrityError(
            f"{folder}: holds {', '.join(others[:_NAMED])}, which {name} does not list: remove what "
            "does not belong to the bundle"
        )


def _refuse_links(folder: Path, name: str) -> None:
    if (folder / name).resolve() != folder.resolve() / name:
        raise BundleIntegrityError(f"{folder / name}: a link, which a bundle must not hold")


def _read_verified(folder: Path, name: str, entry: FileEntry, lists: str) -> bytes:
    """Return the contents of ``name``, which are those that the manifest called ``lists`` says."""
    path = folder / name
    if not path.is_file():
        raise BundleIntegrityError(f"{path}: missing, though {lists} lists it")
    _refuse_links(folder, name)
    if entry.size > MAX_BUNDLE_FILE_BYTES:
        raise BundleIntegrityError(f"{path}: larger than {MAX_BUNDLE_FILE_BYTES:,} bytes")
    if (size := path.stat().st_size) != entry.size:
        raise BundleIntegrityError(f"{path}: {size:,} bytes, but {lists} says {entry.size:,}")
    with path.open("rb") as stream:
        data = stream.read(entry.size + 1)  # no more than that, though it should grow meanwhile
    if sha256_bytes(data) != entry.sha256:
        raise BundleIntegrityError(f"{path}: altered: its SHA-256 is not the one in {lists}")
    return data
