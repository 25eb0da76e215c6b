"""What the commands share: the library's log goes to the terminal, Keras starts quietly, and runs are opened."""

import contextlib
import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import registry, tasks
from zoo.deprecated import OldNameWarning
from zoo.errors import UsageError, first_line, unknown

if TYPE_CHECKING:
    from zoo.training.run_folder import Run


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


def show_log(to_stderr: bool = False) -> None:
    """Print the library's log on the terminal as it is."""
    handler = logging.StreamHandler(sys.stderr if to_stderr else sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("zoo")
    log.handlers = [handler]  # one, however often this is called
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of retracing: a network is compiled once a phase
    with contextlib.suppress(ImportError):
        from absl import logging as absl_logging  # which tfds uses

        absl_logging.set_verbosity(absl_logging.ERROR)


def open_run(path: str, debug: bool) -> "Run":
    """The run folder that a command is given. A wrong one is refused before Keras is imported."""
    from zoo.training.run_folder import Run

    run = Run.open(path)
    start_keras(debug)
    return run


def start_keras(debug: bool) -> None:
    """Import Keras and its backend. What they write to stderr is shown only if the start fails, or with --debug."""
    with quietly(debug):
        try:
            import keras
        except ValueError as error:
            raise UsageError(
                f"Keras does not start: {first_line(error)}; expected KERAS_BACKEND to be tensorflow, jax or torch"
            ) from error
        keras.ops.zeros(())  # the backend looks for its devices here
        with contextlib.suppress(UsageError):  # most data needs it, whatever the backend
            from zoo.data.sources import tensorflow

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
    """Hide what is written to the file descriptor of stderr; show it only if an error escapes but ours."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
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
