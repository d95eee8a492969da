"""Model bundles: manifest, verification, loading."""

from boilerplate_clf.bundle.load import Bundle, find_bundle, load_bundle, manifest_path, shipped_bundle
from boilerplate_clf.bundle.manifest import FORMAT_VERSION, Manifest

__all__ = [
    "FORMAT_VERSION",
    "Bundle",
    "Manifest",
    "find_bundle",
    "load_bundle",
    "manifest_path",
    "shipped_bundle",
]
