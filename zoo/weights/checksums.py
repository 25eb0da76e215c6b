"""Whether a file is the one that is meant."""

import hashlib
import re
from pathlib import Path

from zoo.errors import UsageError


def parsed_hash(text: str) -> tuple[str, str]:
    """The algorithm and the digits.

    >>> parsed_hash("sha256:F37072FD"), parsed_hash("")
    (('sha256', 'f37072fd'), ('', ''))
    """
    if not text:
        return "", ""
    found = re.fullmatch(r"(md5|sha256):([0-9a-f]{8,64})", text.lower())
    if not found:
        raise UsageError(f"the hash is {text!r}; expected 'sha256:' or 'md5:' and at least 8 of its digits")
    return found[1], found[2]


def vouches(text: str) -> bool:
    """Whether a hash has all of its digits. The first eight tell a wrong file, but not one that was made to have them.

    >>> vouches("md5:c2c37ea517e94d9795004a39431a14cb"), vouches("sha256:7be5be79")
    (True, False)
    """
    algorithm, digits = parsed_hash(text)
    return bool(digits) and len(digits) == 2 * hashlib.new(algorithm).digest_size


def check_file(path: Path, *, hash: str = "", size: int | None = None, do: str = "fetch it again") -> None:
    """Raise unless a file is there, and the one that is meant."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}; expected a file of weights")
    found = path.stat().st_size
    if size is not None and found != size:
        raise UsageError(f"{path} has {found:,} bytes; expected {size:,}: it is another file or cut short: {do}")
    algorithm, digits = parsed_hash(hash)
    if not digits:
        return
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    if not digest.startswith(digits):
        raise UsageError(f"{path} is another file: its {algorithm} is {digest[: len(digits)]}, expected {digits}: {do}")
