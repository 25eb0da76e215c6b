"""Being asked to stop: Ctrl-C, SIGTERM (a cluster that takes the machine back), SIGHUP (a terminal that is closed).

A training is stopped between two batches, after a checkpoint; anything else at once. A second request ends a training
at once as well.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]  # on this system


class Stopped(KeyboardInterrupt):
    """A signal asked to stop."""

    def __init__(self, number: int, message: str = ""):
        super().__init__(message)
        self.number = number

    @property
    def code(self) -> int:
        """The exit code, as shells have it.

        >>> Stopped(signal.SIGTERM).code
        143
        """
        return 128 + self.number


class Requests:
    """The signals that came, and what is done about them."""

    def __init__(self) -> None:
        self.pending = 0
        self.patient = False  # whether somebody asks `pending` often enough
        self.watching = False

    def receive(self, number: int, frame: FrameType | None) -> None:
        """The handler of signals."""
        again, self.pending = self.pending, number
        if self.patient and not again:
            with contextlib.suppress(OSError, RuntimeError, AttributeError):  # a terminal that is gone; no stderr
                print("\nzoo: stopping after this batch; once more stops at once", file=sys.stderr)
            return
        if again:
            signal.signal(number, signal.SIG_DFL)
        raise Stopped(number)

    def check(self) -> None:
        """Raise what came and was kept: TensorFlow swallows an interrupt while it is imported."""
        if self.pending:
            raise Stopped(self.pending)

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Handle the signals inside, and put back who did before. What is ignored (nohup) or handled otherwise stays
        so."""
        if self.watching or threading.current_thread() is not threading.main_thread():
            yield
            return
        ours = (signal.SIG_DFL, signal.default_int_handler)
        before = {number: signal.getsignal(number) for number in SIGNALS}
        before = {number: handler for number, handler in before.items() if handler in ours}
        self.pending, self.watching = 0, True
        try:
            for number in before:
                signal.signal(number, self.receive)
            yield
        finally:
            self.watching, self.pending = False, 0
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def patiently(self) -> Iterator[None]:
        """Keep the first request until `check` is called, inside."""
        self.patient, before = self.watching, self.patient
        try:
            yield
        finally:
            self.patient = before


requests = Requests()
