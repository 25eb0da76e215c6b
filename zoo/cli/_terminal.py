"""What the commands share: the library's log goes to the terminal, Keras starts quietly, and runs are opened."""

import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from zoo import registry, tasks
from zoo.deprecated import OldNameWarning
from zoo.errors import UsageError, first_line, printable, unknown

if TYPE_CHECKING:
    from zoo.training.run_folder import Run

LAST_LINES = 12  # of a backend that ends the process


def known_tasks() -> set[str]:
    """The names of all tasks. Those of a package's own are not known until it is imported: its cards say."""
    cards = registry.cards().values()
    theirs = {each.task for each in cards if not each.module.startswith("zoo.") and each.module not in sys.modules}
    return {*tasks.names(), *theirs}


def check_task(task: str, of: str = "") -> None:
    """Raise unless there is such a task.

    Args:
        task: its name.
        of: the network whose card says so.
    """
    if task not in (known := known_tasks()):
        raise unknown(f"task (of {of})" if of else "task", task, known)


JSON_HELP = "print JSON, for programs; the log goes to stderr"


def print_json(content: Any) -> None:
    """What a command found, for programs."""
    print(json.dumps(content, indent=2, default=str))


def show_log(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Print the library's log on the terminal as it is; on `stream` where the output itself is what is wanted."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(PrintableFormatter("%(message)s"))
    log = logging.getLogger("zoo")
    log.handlers = [handler]  # one, however often this is called
    log.setLevel(level)
    log.propagate = False
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of retracing: a network is compiled once a phase
    with contextlib.suppress(ImportError):
        from absl import logging as absl_logging  # which tfds uses

        absl_logging.set_verbosity(absl_logging.ERROR)


class PrintableFormatter(logging.Formatter):
    """Names of classes and files come from folders that anybody made: a line of the log stays one."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().formatMessage(record).split("\n")))


def show(lines: Iterable[str]) -> None:
    """Print lines that hold names or texts of somebody else's."""
    for line in lines:
        print(printable(line))


def agrees(question: str) -> bool:
    """Ask at a terminal, where somebody can answer; elsewhere the answer is no."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    print(f"{question}: resume it? [Y/n] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def open_run(path: str, debug: bool) -> "Run":
    """The run folder that a command is given. A wrong one is refused before Keras is imported."""
    from zoo.training.run_folder import Run

    run = Run.open(path)
    start_keras(debug)
    return run


def open_run_or_name(argument: str, debug: bool) -> "Run | str":
    """The run folder, or the name of a network, that a command is given; nothing else, before Keras is imported."""
    names = registry.list_models()
    path = Path(argument)
    if not path.exists() and "/" not in argument and argument not in names:
        raise unknown("run folder or network", argument, names, hint="`zoo list`; runs lie in runs/")
    if argument not in names or path.exists():
        return open_run(argument, debug)
    start_keras(debug)
    return argument


def start_keras(debug: bool, *, data: bool = True) -> None:
    """Import Keras and its backend, and what most `data` needs. What they write to stderr is shown only if the start
    fails, or with --debug."""
    with quietly(debug):
        try:
            import keras
        except UsageError:
            raise
        except ValueError as error:
            raise UsageError(
                f"Keras does not start: {first_line(error)}; expected KERAS_BACKEND to be tensorflow, jax or torch"
            ) from error
        keras.ops.zeros(())  # the backend looks for its devices here
        if not data:
            return
        with contextlib.suppress(UsageError):  # most data needs it, whatever the backend
            from zoo.data.tensors import tensorflow

            tensorflow().zeros(())


def import_files(files: Sequence[str], debug: bool) -> None:
    """Import the user's own files, as quietly: they import Keras. What they call by an old name is said."""
    for file in files:
        with warnings.catch_warnings(record=True) as found, quietly(debug):
            registry.import_file(file)
        for each in found:
            if debug or issubclass(each.category, OldNameWarning):
                warnings.showwarning(each.message, each.category, each.filename, each.lineno)


@contextlib.contextmanager
def old_names_in_a_line() -> Iterator[None]:
    """Show what is called otherwise now in one line, with the place in a file that is not ours."""
    with warnings.catch_warnings():
        usual: Callable[..., None] = warnings.showwarning

        def show(message: Any, category: type[Warning], filename: str, lineno: int, *rest: Any, **more: Any) -> None:
            if not issubclass(category, OldNameWarning):
                usual(message, category, filename, lineno, *rest, **more)
                return
            ours = Path(filename).is_relative_to(Path(registry.__file__).parent)
            print(f"zoo: {message}" if ours else f"zoo: {filename}:{lineno}: {message}", file=sys.stderr)

        warnings.showwarning = show
        yield


def quietly(debug: bool) -> AbstractContextManager[None]:
    """Around what may import Keras: nothing of its backend's log, unless with --debug."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what goes wrong comes as an exception as well
    return contextlib.nullcontext() if debug else hidden_stderr()


@contextlib.contextmanager
def hidden_stderr() -> Iterator[None]:
    """Hide what is written to the file descriptor of stderr; show it only if an error escapes but ours, or if the
    process does not survive."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as hidden, last_words(hidden.fileno(), terminal):
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except UsageError:  # says it all
            raise
        except Exception:
            hidden.seek(0)
            os.write(terminal, hidden.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


@contextlib.contextmanager
def last_words(hidden: int, terminal: int) -> Iterator[None]:
    """Have another process wait meanwhile, which shows what was hidden if this one is ended from below.

    A backend aborts where memory is short, an instruction is not there or CUDA does not fit; no Python sees it.

    Args:
        hidden, terminal: file descriptors.
    """
    if not hasattr(os, "fork") or "keras" in sys.modules:  # Windows; it has started before, and has threads
        yield
        return
    reader, writer = os.pipe()
    witness = os.fork()
    if witness == 0:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.close(writer)
        if not os.read(reader, 1):  # not a word: it is gone
            said = os.pread(hidden, os.fstat(hidden).st_size, 0).decode(errors="replace").strip().splitlines()
            lines = [
                "zoo: Keras or its backend ended this process while it started; its last words:",
                *said[-LAST_LINES:],
            ]
            os.write(terminal, ("\n  ".join(lines if said else [*lines, "(none)"]) + "\n").encode())
        os._exit(0)
    os.close(reader)
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError):
            os.write(writer, b".")
        os.close(writer)
        os.waitpid(witness, 0)


def open_streams() -> None:
    """Open the standard streams that are closed (``zoo train ... >&-``): into nothing. The next file that is opened
    would take their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(nothing := os.open(os.devnull, os.O_RDWR), number)
            if nothing != number:
                os.close(nothing)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


class Unbroken:
    """A stream that goes on into nothing when nobody reads it any more (``zoo train ... | head -1``)."""

    def __init__(self, stream: Any):
        self.stream = stream

    def write(self, text: str) -> int:
        try:
            return int(self.stream.write(text))
        except BrokenPipeError:
            self.give_up()
            return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except BrokenPipeError:
            self.give_up()

    def give_up(self) -> None:
        """From now on into nothing, with a word where there is still somebody."""
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self.stream.fileno())
        os.close(nothing)
        if self.stream.fileno() == 1:
            print("zoo: nobody reads the output any more; the training goes on", file=sys.stderr, flush=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def unbroken_streams() -> Iterator[None]:
    """What is printed inside does not end the program, whoever stops reading."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Unbroken(each) for each in before)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout, sys.stderr = before
