"""What the folder of a run holds, and under which names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from boilerplate_clf.errors import RunError
from boilerplate_clf.extras import require

MANIFEST = "_manifest.json"
RECEIPTS = "_parts"
UNFINISHED = ".unfinished"

_OURS = re.compile(
    r"_parts(/.*)?|(_manifest\.json|part-\d{5,}-\d{6,}\.(parquet|jsonl))(\.(\w+\.)?unfinished)?", re.DOTALL
)


def part_name(number: int, place: int) -> str:
    """Return the name of a part, without its ending: by input and place in it."""
    return f"part-{number:05d}-{place:06d}"


def is_ours(name: str) -> bool:
    """Return whether a run calls its files so; ``name`` is relative to its folder."""
    return _OURS.fullmatch(name) is not None


class LeaveOut:
    """The folder of a run, whose own files are no inputs although the folder may hold inputs, too.

    Args:
        folder: its path or URL, "" for none.

    Raises:
        ImportError, ValueError, OSError: a URL that fsspec cannot open.
    """

    def __init__(self, folder: str) -> None:
        """Nothing is read yet."""
        self.folder = folder
        self._files: Any = None
        self._root = self._place = ""
        if folder:
            self._files, self._root = require("annotate", "fsspec").core.url_to_fs(folder)
            self._place = _place(self._files, self._root)

    def is_below(self, files: Any, folder: str) -> bool:
        """Return whether the output lies somewhere in a folder, and is not that folder itself."""
        return bool(self.folder) and self._place.startswith(_place(files, folder).rstrip("/") + "/")

    def leaves(self, files: Any, name: str, *, everything: bool = False) -> bool:
        """Return whether a file that was found is none of the inputs.

        Args:
            files: its fsspec file system.
            name: its path there.
            everything: leave out whatever lies in the folder, not only what a run wrote.

        Raises:
            RunError: an input is called like a part, and a run would write over it.
        """
        if not self.folder:
            return False
        place, root = _place(files, name), self._place.rstrip("/") + "/"
        if place == self._place:
            return True
        if not place.startswith(root) or not (everything or is_ours(place[len(root) :])):
            return False
        if not everything and not self._has_run():
            raise RunError(
                f"{name}: is called like a part of the output, which would be written over it: "
                "choose another folder for the output"
            )
        return True

    def _has_run(self) -> bool:
        return any(self._files.exists(f"{self._root}/{name}") for name in (MANIFEST, RECEIPTS))


def _place(files: Any, name: str) -> str:
    """Return a URL that is the same however a local path is written, and differs between file systems."""
    name = str(Path(name).resolve()) if hasattr(files, "local_file") else name
    return str(files.unstrip_protocol(name)).rstrip("/")
