"""Texts from bytes: UTF-8, or what else they turn out to be."""

import codecs
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from zoo.errors import UsageError
from zoo.system import available_memory

log = logging.getLogger("zoo")

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
MAX_BYTES = 256 * 2**20  # of texts that are learned from in memory
MEMORY_PER_BYTE = 16  # of them, while they are: the text, its words and their ids (15 measured, English in words)
WESTERN = "cp1252"  # what Windows writes in Western Europe: Latin-1, and the quotation marks that it lacks


def decoded(content: bytes, name: str) -> str:
    r"""The text of bytes: of UTF-8, or of UTF-16 with its mark, or else Western letters, which is said.

    Raises:
        UsageError: for bytes that are no text.

    >>> decoded("café".encode(), "a.txt"), decoded(b"caf\xe9", "b.txt")
    ('café', 'café')
    """
    for mark, encoding in MARKS:
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError as error:
                raise UsageError(f"{name} begins as {encoding} and is none ({error}); save it as UTF-8") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"byte 0x{content[error.start]:02x} at offset {error.start}"
        if b"\0" in content:
            raise UsageError(f"{name} is no text: {where}; expected a text file, in UTF-8") from None
        log.info(f"{name} is not UTF-8 ({where}); it is read as Western European letters ({WESTERN})")
        text = content.decode(WESTERN, "replace")
    return text


def check_fits(files: Sequence[Path], name: Path) -> None:
    """Raise, before any is read, for more text than memory can hold and TensorFlow's tensors are meant for."""
    total = sum(file.stat().st_size for file in files if file.is_file())
    free = available_memory()
    most = MAX_BYTES if free is None else min(MAX_BYTES, free // MEMORY_PER_BYTE)
    if total > most:
        raise UsageError(
            f"{name} holds {total / 2**20:,.0f} MiB of text; expected at most {most / 2**20:,.0f}, as it is learned "
            "from in memory: take a part of it (word vectors are learned from a text of any size)"
        )


def read_text(path: Path) -> str:
    """The text of a file; its lines end as Python's do, whatever system wrote them.

    Raises:
        UsageError: where it is no text, or cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); expected a text file") from None
    return re.sub(r"\r\n?", "\n", decoded(content, str(path)))
