"""What the commands share: what the library has to tell goes to the terminal, and Keras starts quietly."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

from zoo.errors import UsageError


def show_log() -> None:
    """What the library has to tell goes to the terminal as it is."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("zoo")
    log.handlers = [handler]  # one, however often a process asks
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # of retracing: a network is compiled once a phase
    with contextlib.suppress(ImportError):
        from absl import logging as absl_logging  # tfds speaks through it

        absl_logging.set_verbosity(absl_logging.ERROR)


def start_keras(debug: bool) -> None:
    """Import Keras and its backend. Their page of greetings on stderr is kept back, unless the start fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what goes wrong comes as an exception as well
    logging_off = contextlib.nullcontext() if debug else held_back()
    with logging_off:
        import keras

        keras.ops.zeros(())  # the backend looks for its devices here
        with contextlib.suppress(UsageError):  # most data needs it, whatever the backend
            from zoo.data.sources import tensorflow

            tensorflow().zeros(())


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Keep what is written to the file descriptor of stderr; show it only if an error escapes."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
