"""Limits on inputs, in one place. Each is far above what an article needs."""

from __future__ import annotations

MAX_DOCUMENT_CHARS = 20_000_000
"""Characters of one document."""

MAX_PARAGRAPHS = 200_000
"""Paragraphs of one document."""

MAX_HTML_CHARS = 20_000_000
"""Characters (or bytes) of one HTML page."""

MAX_RECORD_BYTES = 100_000_000
"""Bytes of one line of a JSONL file, or of one text file."""

MAX_PART_BYTES = 64 * 2**20
"""Of the records of one part of a data set: the part ends with the record that reaches it."""

MAX_TABLE_BYTES = 500 * 2**20
"""Size of one file of labelled rows."""

MAX_CELL_CHARS = 1_000_000
"""Characters of one cell of such a file."""

HEAD_CHARS, TAIL_CHARS = 1_200, 600
"""What the tokenizer sees of a long paragraph: its token budget is far smaller than this."""

BATCH_DOCUMENTS, BATCH_CHARS = 32, 500_000
"""What is read ahead to share calls of the model: no more documents, and none after so many characters."""

CACHED_PARAGRAPHS = 20_000
"""Paragraphs that a classifier remembers; some 6 MB."""

MAX_BUNDLE_FILE_BYTES = 512 * 2**20
"""Size of one file of a model bundle."""

MAX_MANIFEST_BYTES = 2**20
"""Size of ``bundle.json``."""

MAX_WINDOW_TOKENS = 16_384
"""Of an encoder's window: what it computes grows with the square of it."""

MAX_CONTEXT = 1000
"""Of a bundle's cascade: paragraphs, or tokens."""

MAX_FACTOR = 1000.0
"""Of what multiplies or divides scores in a bundle: none of them can then leave the range of a float."""

MAX_LOG_WEIGHT = 50.0
"""Of a bundle's chain: e**50 still leaves room in a float for sums."""
