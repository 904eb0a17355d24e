"""What the playground takes at most: said once, for the documents, the runs, the uploads and the page."""

from __future__ import annotations

LIMITS: dict[str, int] = {
    "layers": 60,  # of a network, inputs included
    "units": 4096,  # of a field that counts units, filters and the like
    "parameters": 20_000_000,  # of a network, counted from shapes
    "activations": 20_000_000,  # numbers that all layers give for one sample
    "epochs": 10_000,
    "batch_size": 8192,
    "samples": 100_000,  # of a data set
    "columns": 200,  # of a table
    "text": 200,  # characters of a text in a document
    "options": 40,  # of a layer, the data or the optimizer
    "document": 64 * 1024,  # bytes
    "upload": 100_000_000,  # bytes
    "runs": 4,  # at once
    "kept_runs": 12,
}
