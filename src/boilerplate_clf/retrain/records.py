"""JSON records of several origins, told apart by their keys.

* a row: ``{"text": ..., "label": ...}``
* a document: ``{"paragraphs": [{"text": ..., "label": ...}, ...]}`` (as for evaluation)
* Label Studio: ``{"data": {"text": ...}, "annotations": [...]}``
* Prodigy: ``{"text": ..., "answer": "accept", "label": ...}`` or with ``options`` and ``accept``
* doccano: ``{"text": ..., "label": [...]}`` (or ``labels``, ``cats``)

Sources of the formats: https://labelstud.io/guide/export, https://prodi.gy/docs/api-interfaces,
https://doccano.github.io/doccano/tutorial/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from boilerplate_clf.errors import DataError
from boilerplate_clf.retrain.rows import Columns

Cells = dict[str, Any]


def record_rows(record: Any, where: str, columns: Columns) -> Iterator[tuple[Cells, str]]:
    """Yield the cells of each paragraph of a record, and where it stands.

    Raises:
        DataError: the record has none of the known forms.
    """
    if not isinstance(record, Mapping):
        raise DataError(f"{where}: not an object with keys such as {columns.text!r} and {columns.label!r}")
    if "paragraphs" in record:
        yield from _document(record, where, columns)
    elif "annotations" in record and isinstance(record.get("data"), Mapping):
        yield _label_studio(record, where, columns), where
    elif "answer" in record and columns.text in record:
        yield _prodigy(record, where, columns), where
    elif columns.text in record:
        yield _plain(record, where, columns), where
    else:
        keys = ", ".join(repr(key) for key in list(record)[:8]) or "nothing"
        raise DataError(f"{where}: no key {columns.text!r} (there is {keys}): name it with --text-column")


def _document(record: Mapping[str, Any], where: str, columns: Columns) -> Iterator[tuple[Cells, str]]:
    items = record["paragraphs"]
    if not isinstance(items, list):
        raise DataError(f"{where}: 'paragraphs' is not a list")
    name = record.get("page") or record.get(columns.document) or where
    for position, item in enumerate(items):
        place = f"{where}, paragraph {position}"
        if isinstance(item, str):
            item = {columns.text: item}
        if not isinstance(item, Mapping) or columns.text not in item:
            raise DataError(f"{place}: no key {columns.text!r}")
        cells = _plain(item, place, columns)
        yield {**cells, columns.document: name, columns.position: position}, place


def _plain(record: Mapping[str, Any], where: str, columns: Columns) -> Cells:
    """A row as it is; doccano's lists of labels are opened."""
    cells = dict(record)
    for key in (columns.label, "labels", "cats"):
        value = cells.get(key)
        if isinstance(value, Mapping):
            value = [name for name, yes in value.items() if yes]
        if isinstance(value, list):
            cells[columns.label] = _single(value, where)
            break
    return cells


def _label_studio(record: Mapping[str, Any], where: str, columns: Columns) -> Cells:
    data = record["data"]
    if columns.text not in data:
        keys = ", ".join(repr(key) for key in list(data)[:8]) or "nothing"
        raise DataError(f"{where}: no key {columns.text!r} in 'data' (there is {keys}): use --text-column")
    choices: list[Any] = []
    for annotation in record["annotations"] or ():
        if not isinstance(annotation, Mapping) or annotation.get("was_cancelled"):
            continue
        for result in annotation.get("result") or ():
            value = result.get("value") if isinstance(result, Mapping) else None
            if isinstance(value, Mapping):
                choices += value.get("choices") or ()
    return {**data, columns.label: _single(choices, where)}


def _prodigy(record: Mapping[str, Any], where: str, columns: Columns) -> Cells:
    """Only accepted answers carry a label; rejected and ignored ones leave the text unlabelled."""
    cells = dict(record)
    if record["answer"] != "accept":
        cells[columns.label] = ""
    elif isinstance(accepted := record.get("accept"), list):
        cells[columns.label] = _single(accepted, where)
    return cells


def _single(labels: list[Any], where: str) -> str:
    different = list(dict.fromkeys(str(label).strip() for label in labels))
    if len(different) > 1:
        shown = ", ".join(repr(label) for label in different[:4])
        raise DataError(f"{where}: several labels ({shown}): a paragraph has exactly one")
    return different[0] if different else ""
