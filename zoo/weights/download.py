"""The way of one file over the network: several attempts, each from where the last one stopped."""

import errno
import hashlib
import http.client
import logging
import os
import queue
import shutil
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, first_line, printable
from zoo.weights.addresses import in_ascii, opener, redacted
from zoo.weights.checksums import check_file, parsed_hash
from zoo.weights.progress import progress_bar

log = logging.getLogger("zoo")

TIMEOUT = 5.0  # seconds without a byte, or for an answer to begin, whatever number of addresses a name has
PATIENCE = 27.0  # seconds, over all attempts, in which fewer than `PROGRESS` bytes come: then the server is given up
PROGRESS = 2**16  # bytes
RETRY_PAUSES = (1.0, 2.0, 4.0)  # seconds before each retry
CHUNK = 2**20  # bytes read at a time
RETRIED_STATUSES = {408, 425, 429, 500, 502, 503, 504}  # answers that another attempt may not get
UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}  # while the network is off, no attempt helps


class TemporaryError(Exception):
    """What may be better at the next attempt."""


@dataclass
class Download:
    """One file on its way: several attempts, each from where the last one stopped."""

    url: str
    path: Path
    hash: str
    size: int | None
    limit: int

    def __post_init__(self) -> None:
        self.part = self.path.with_name(self.path.name + ".part")
        self.tag = self.path.with_name(self.path.name + ".etag")  # which version of the file the part is of
        self.progress()

    def progress(self) -> None:
        """Begin to count anew: the server does send."""
        self.recent, self.given_up = 0, time.monotonic() + PATIENCE

    def check_patience(self) -> None:
        """Raise for a server that has sent next to nothing for `PATIENCE`, byte by byte or not at all."""
        if time.monotonic() > self.given_up:
            raise UsageError(
                f"{redacted(self.url)} cannot be fetched: fewer than {PROGRESS:,} bytes came in {PATIENCE:g} s; run "
                f"again to go on, set ZOO_MIRROR, or put the file at {self.path}"
            )

    def run(self) -> None:
        """Fetch the file, in as many attempts as there are pauses, and one."""
        log.info(f"fetching {redacted(self.url)} to {self.path}")
        for pause in (*RETRY_PAUSES, None):
            try:
                self.attempt()
                return
            except TemporaryError as problem:
                if pause is None:
                    raise UsageError(
                        f"{redacted(self.url)} cannot be fetched: {problem}, {len(RETRY_PAUSES) + 1} times; "
                        f"run again to go on, set ZOO_MIRROR, or put the file at {self.path}"
                    ) from problem
                self.check_patience()
                log.info(f"{problem}; trying again in {pause:g} s")
                time.sleep(pause)

    def attempt(self) -> None:
        """Fetch what is missing, check all of it, and publish it."""
        start = self.resumable()
        with self.open(start) as response:
            if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                start = 0
            total = self.announced_size(response, start)
            self.remember_version(response)
            self.receive(response, start, total)
        digits = parsed_hash(self.hash)[1]
        if self.size is not None and self.part.stat().st_size != self.size:
            found = self.part.stat().st_size
            self.discard()
            raise self.wrong_file(f"has {found:,} bytes; expected {self.size:,}")
        if not self.digest.hexdigest().startswith(digits):
            self.discard()
            if start:
                raise TemporaryError("what was resumed does not fit together")
            raise self.wrong_file(f"is another file: its {self.digest.name} is not {digits}")
        self.publish()

    def wrong_file(self, what: str) -> UsageError:
        return UsageError(f"{redacted(self.url)} {what}; nothing was kept: get the right file from elsewhere")

    def resumable(self) -> int:
        """How many bytes are here already that the server can go on from."""
        known = self.hash or self.tag.exists()
        return self.part.stat().st_size if known and self.part.exists() else 0

    def open(self, start: int) -> Any:
        """The server's response, from byte `start` on where it can."""
        headers = {"User-Agent": "zoo", "Accept-Encoding": "identity"}
        request = urllib.request.Request(in_ascii(self.url), headers=headers)
        if start:
            request.add_header("Range", f"bytes={start}-")
            if self.tag.exists():
                request.add_header("If-Range", self.tag.read_text())
        try:
            return within(TIMEOUT, lambda: opener().open(request, timeout=TIMEOUT))
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing beyond what is here: so that was of something else
                self.discard()
            if error.code in RETRIED_STATUSES or error.code == 416:
                raise TemporaryError(f"the server answers {error.code} {printable(error.reason[:100])}") from None
            if 300 <= error.code < 400:
                raise UsageError(f"{redacted(self.url)} leads to no https address; expected the file") from None
            raise UsageError(
                f"{redacted(self.url)} answers {error.code} {error.reason[:100]}; check the address"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, socket.gaierror) or getattr(reason, "errno", None) in UNREACHABLE:
                raise UsageError(
                    f"{redacted(self.url)} cannot be fetched: {describe_failure(reason)}; connect to the network, set "
                    f"ZOO_MIRROR, or put the file at {self.path}"
                ) from None
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise UsageError(
                    f"{urllib.parse.urlsplit(self.url).hostname} cannot prove who it is ({reason.verify_message}); "
                    "expected a certificate that this machine trusts"
                ) from None
            raise TemporaryError(describe_failure(reason)) from None

    def announced_size(self, response: Any, start: int) -> int | None:
        """The size of the whole file as the server tells it, if it is one that may be taken."""
        if response.headers.get_content_type() == "text/html":
            raise UsageError(f"{redacted(self.url)} is a web page; expected the file itself")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise UsageError(f"{redacted(self.url)} comes compressed, unasked; expected the file as it is")
        lengths = {*response.headers.get_all("Content-Length", [])}
        if len(lengths) > 1:
            raise UsageError(f"{redacted(self.url)} comes with {len(lengths)} lengths; expected one")
        length = next(iter(lengths), None)
        total = start + int(length) if length and length.isdigit() else None
        chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if total is None and not chunked and not self.hash and self.size is None:
            raise UsageError(
                f"{redacted(self.url)} does not say how long the file is, so that its end cannot be told from a cut; "
                "give its hash, or download it otherwise and give its path"
            )
        if total is not None and self.size is not None and total != self.size:
            raise UsageError(f"{redacted(self.url)} has {total:,} bytes; expected {self.size:,}: it is another file")
        if total is not None and total > self.max_bytes:
            raise self.too_large(total)
        free = shutil.disk_usage(self.path.parent).free
        if total is not None and total - start > free:
            raise UsageError(
                f"{self.path.parent} has room for {free:,} bytes; expected {total - start:,}: make room there, or "
                "choose another folder with ZOO_CACHE"
            )
        return total

    @property
    def max_bytes(self) -> int:
        """The most bytes to take."""
        return self.limit if self.size is None else self.size

    def too_large(self, found: int) -> UsageError:
        return UsageError(f"{redacted(self.url)} has {found:,} bytes or more; expected at most {self.max_bytes:,}")

    def remember_version(self, response: Any) -> None:
        """Note which version of the file the server sends, so that another one is not appended to it."""
        version = response.headers.get("ETag", "")
        if version.startswith('"'):  # a strong one
            self.tag.write_text(version)
        elif response.status != 206:
            self.tag.unlink(missing_ok=True)

    def receive(self, response: Any, start: int, total: int | None) -> None:
        """Append what comes to the part, hashing all of it."""
        self.digest = hashlib.new(parsed_hash(self.hash)[0] or "sha256")
        with self.part.open("r+b" if start else "wb") as file:
            while chunk := file.read(CHUNK) if start else b"":
                self.digest.update(chunk)
            done = start
            before = time.monotonic()
            show = progress_bar(total, "byte")  # which may import Keras: not the server's time
            self.given_up += time.monotonic() - before
            try:
                while chunk := received(response):
                    done, self.recent = done + len(chunk), self.recent + len(chunk)
                    if self.recent >= PROGRESS:
                        self.progress()
                    self.check_patience()
                    if done > self.max_bytes:
                        raise self.too_large(done)
                    file.write(chunk)
                    self.digest.update(chunk)
                    show(done)
            except UsageError:
                file.truncate(0)
                raise
            file.flush()
            os.fsync(file.fileno())
        if total is not None and done != total:
            raise TemporaryError(f"the connection ended after {done:,} of {total:,} bytes")

    def publish(self) -> None:
        """Give the file its name, unless someone else put one there meanwhile."""
        try:
            os.link(self.part, self.path)
        except FileExistsError:
            check_file(self.path, hash=self.hash, size=self.size, do="move it away, it is not overwritten")
        except OSError:  # a file system without hard links
            self.part.rename(self.path)
        if os.name == "posix":  # elsewhere folders cannot be opened
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self.discard()

    def discard(self) -> None:
        """Remove the part, and the note of its version."""
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def within(seconds: float, do: Callable[[], Any]) -> Any:
    """What a function returns or raises, if it does so in time; a `TimeoutError` if not, and it is left to itself.

    A time-out of the connection is for each address that a name has, and for each byte of an answer's head.
    """
    found: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            found.put((do(), None))
        except BaseException as error:
            found.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = found.get(timeout=seconds + 0.5)  # the connection's own time-out says more
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result


def received(response: Any) -> bytes:
    """The next bytes of a response; none at its end."""
    try:
        return response.read1(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise TemporaryError(describe_failure(error)) from None


def describe_failure(error: BaseException | str) -> str:
    """What went wrong with the connection, in few words."""
    if isinstance(error, TimeoutError):
        return f"nothing came for {TIMEOUT:g} s"
    if isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected | ConnectionResetError):
        return "the connection broke"
    return getattr(error, "strerror", None) or first_line(Exception(str(error)))
