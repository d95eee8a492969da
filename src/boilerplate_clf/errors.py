"""All exceptions of the package.

::

    BoilerplateClfError
    ├── InputError            a text, file or record that a user passed in
    │   ├── RecordError       one record of a JSONL file (names file and line)
    │   └── InputTooLargeError
    ├── BundleError           a model bundle that cannot be used
    │   ├── BundleNotFoundError
    │   ├── BundleFormatError     unknown version, missing or malformed fields
    │   ├── BundleIntegrityError  missing, altered or oversized file
    │   └── UnsafeModelError      ONNX with external data or foreign operators
    ├── ConfigError           a configuration file (names file and key)
    ├── DataError             training or evaluation data (names file and line)
    │   └── LeakageError      evaluation text found in training data
    ├── RunError              a run over a data set, or a server, that cannot go on
    ├── TrainingError         a stage of the pipeline that cannot go on
    └── MissingExtraError     an optional dependency is not installed (names the pip line)
"""

from __future__ import annotations


class BoilerplateClfError(Exception):
    """Base class: catch this to catch everything that the package raises on purpose."""


class InputError(BoilerplateClfError):
    """An input text or file cannot be used."""


class RecordError(InputError):
    """One record of an input file cannot be used; the others are not affected."""


class InputTooLargeError(InputError):
    """An input is larger than the limits in :mod:`boilerplate_clf.limits`."""


class BundleError(BoilerplateClfError):
    """A model bundle cannot be used."""


class BundleNotFoundError(BundleError):
    """There is no bundle at the given path."""


class BundleFormatError(BundleError):
    """``bundle.json`` is malformed, incomplete or of a format version that is not known."""


class BundleIntegrityError(BundleError):
    """A file of the bundle is missing, altered or oversized."""


class UnsafeModelError(BundleError):
    """The ONNX graph refers to files outside the bundle or to unknown operator domains."""


class ConfigError(BoilerplateClfError):
    """A configuration file is not valid."""


class DataError(BoilerplateClfError):
    """Training or evaluation data are not valid."""


class LeakageError(DataError):
    """Text that is only for evaluation was found in training data."""


class RunError(BoilerplateClfError):
    """A run over a data set cannot go on, what it has written is whole; or a server cannot."""


class TrainingError(BoilerplateClfError):
    """A stage of the training pipeline cannot go on."""


class MissingExtraError(BoilerplateClfError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, module: str) -> None:
        """Name the missing ``module`` and the ``extra`` that brings it."""
        super().__init__(f"'{module}' is not installed: pip install \"boilerplate-clf[{extra}]\"")
        self.extra = extra
        self.module = module

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """Let the error travel between processes."""
        return type(self), (self.extra, self.module)
