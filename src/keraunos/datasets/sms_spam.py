"""Text messages, spam or not: the SMS Spam Collection (Almeida and Gómez Hidalgo, UCI, https://doi.org/10.24432/C5CC84; CC BY 4.0), downloaded when it is asked for."""

from __future__ import annotations

import os
import pathlib
from typing import Any

from keraunos.core.errors import DataError

__all__ = ["load_data"]

ORIGIN = "https://archive.ics.uci.edu/static/public/228/sms+spam+collection.zip"
SHA256 = "1587ea43e58e82b14ff1f5425c88e17f8496bfcdb67a583dbff9eefaf9963ce3"


def load_data(path: str | os.PathLike[str] | None = None) -> tuple[Any, Any]:
    """The 5,574 messages, of which 747 are spam, in the order of the file.

    Args:
        path: The collection's file `SMSSpamCollection`, or one in its form: a line for each message, "ham" or "spam", a tab and the text. By default
            it is downloaded (203 kB) into the folder of `keras.utils.get_file`, and its SHA-256 is checked.

    Returns:
        `(texts, labels)`: an array of strings, and 1 for spam, 0 for ham, as uint8.

    Raises:
        DataError: The file cannot be downloaded, has another hash, or has a line of another form.

    Example:

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "messages"
    >>> _ = file.write_text("ham\\tSee you at six?\\nspam\\tWIN a phone! Call now\\n")
    >>> texts, labels = load_data(file)
    >>> texts.tolist(), labels.tolist()
    (['See you at six?', 'WIN a phone! Call now'], [0, 1])
    """
    import numpy as np

    from keraunos.data.download import get_file

    if path is None:
        path = pathlib.Path(get_file("sms_spam.zip", ORIGIN, extract=True, file_hash=SHA256)) / "SMSSpamCollection"
    lines = [line.split("\t", 1) for line in pathlib.Path(path).read_bytes().decode().split("\n") if line.strip()]
    for place, line in enumerate(lines, 1):
        if len(line) != 2 or line[0] not in ("ham", "spam"):
            raise DataError("A line is no message of the collection.", where=f"{path}, message {place}", expected='"ham" or "spam", a tab, the text')
    return np.array([text.strip() for _, text in lines]), np.array([label == "spam" for label, _ in lines], "uint8")
