"""A file from an https address, once, whole and right, into the cache and nowhere else.

* The file grows under a temporary name beside its final one, is hashed as it comes, written through to the disk and
  only then renamed. A download that was cut short or killed goes on where it stopped.
* One process downloads; the others wait for its lock and find the file.
* A server that sends nothing for five seconds, drops the connection or is overloaded is tried three times more; one
  that sends next to nothing is given up within half a minute, a host that cannot be reached at once.
* A file that is already there is never overwritten or deleted: if it is the wrong one, that is an error.

Settings, by environment variables:

* ``ZOO_CACHE``: the folder (``~/.cache/zoo``);
* ``ZOO_OFFLINE=1``: never touch the network; an error tells which file to put where;
* ``ZOO_MIRROR=https://host/folder``: take ``https://a.org/b/c.h5`` from ``https://host/folder/a.org/b/c.h5``.
"""

import contextlib
import hashlib
import logging
import os
import re
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, first_line
from zoo.weights.addresses import check_address, redacted
from zoo.weights.checksums import check_file, parsed_hash
from zoo.weights.download import Download

log = logging.getLogger("zoo")

LOCK_PATIENCE = 60.0  # seconds; a process that fetches has given up long before
MAX_BYTES = 2 * 2**30  # of a file whose size is not known beforehand


def cache() -> Path:
    """The folder that all downloads go to."""
    return Path(os.environ.get("ZOO_CACHE") or Path.home() / ".cache" / "zoo").expanduser()


def cached_path(url: str) -> Path:
    """Where the file of an address is kept: its own name, in a folder that only this address has.

    >>> cached_path("https://example.org/nets/a.h5?token=1").relative_to(cache()).as_posix()
    'weights/f03cb63e/a.h5'
    """
    name = re.sub(r"[^A-Za-z0-9._-]", "_", urllib.parse.urlsplit(url).path.rpartition("/")[2]).lstrip(".")
    return cache() / "weights" / hashlib.sha256(url.encode()).hexdigest()[:8] / (name or "weights")


def offline() -> bool:
    """Whether ``ZOO_OFFLINE`` forbids the network."""
    return os.environ.get("ZOO_OFFLINE", "").lower() not in ("", "0", "false", "no")


def fetch(url: str, *, hash: str = "", size: int | None = None, limit: int = MAX_BYTES) -> Path:
    """The file of an https address, from the cache or from there.

    Args:
        url: the address.
        hash: ``"sha256:..."`` or ``"md5:..."``, or the first digits of it.
        size: in bytes, where that is known.
        limit: the most bytes to take where `size` is not known.

    Returns:
        The path of the file, which has this size and hash.

    Raises:
        UsageError: if that cannot be; what is left in the cache then is at most the beginning of the file, under a
            temporary name.
    """
    check_address(url)
    parsed_hash(hash)
    path = cached_path(url)
    if path.exists():
        return check_cached(path, hash, size)
    if offline():
        known = ", ".join(filter(None, [f"{size:,} bytes" if size else "", hash]))
        raise UsageError(
            f"ZOO_OFFLINE is set and {path} is not there; put the file of {redacted(url)} there"
            + (f" ({known})" if known else "")
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            if path.exists():  # another process was faster
                return check_cached(path, hash, size)
            Download(mirrored(url), path, hash, size, limit).run()
    except OSError as error:
        raise UsageError(
            f"{path.parent} cannot be written to: {error.strerror or first_line(error)}; "
            "make room there, or choose another folder with ZOO_CACHE"
        ) from error
    return path


def mirrored(url: str) -> str:
    """The address on the mirror that ``ZOO_MIRROR`` names, if it names one."""
    mirror = os.environ.get("ZOO_MIRROR", "").rstrip("/")
    if not mirror:
        return url
    check_address(mirror)
    parts = urllib.parse.urlsplit(url)
    return f"{mirror}/{parts.netloc.rpartition('@')[2]}{parts.path}" + (f"?{parts.query}" if parts.query else "")


def check_cached(path: Path, hash: str, size: int | None) -> Path:
    """The path, if the file there is the one that is meant."""
    check_file(path, hash=hash, size=size, do="move it away, it is not overwritten")
    return path


def wait_for(lock: Any, path: Path) -> None:
    """Take a lock that another process holds, as long as what it fetches grows.

    Raises:
        UsageError: once nothing came for `LOCK_PATIENCE`.
    """
    from filelock import Timeout

    part, size, since = path.with_name(path.name + ".part"), -1, time.monotonic()
    while True:
        try:
            lock.acquire(timeout=min(1.0, LOCK_PATIENCE))
            return
        except Timeout:
            grown = part.stat().st_size if part.exists() else 0
            if grown != size:
                size, since = grown, time.monotonic()
            elif time.monotonic() - since > LOCK_PATIENCE:
                raise UsageError(
                    f"another process has held {path}.lock for {LOCK_PATIENCE:g} s in which nothing was fetched; end "
                    "it and run again"
                ) from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file; it goes with the process, however that ends."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info(f"another process fetches {path.name}; waiting for it")
        wait_for(lock, path)
    try:
        yield
    finally:
        lock.release()
