"""How tfds is brought to prepare a data set: how long it waits, and what it says."""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

from zoo.data.builtin.embedded import Embedded, place, tfds
from zoo.errors import UsageError, first_line


def prepare(builder: tfds.core.DatasetBuilder, *, retry: bool) -> None:
    """Download and prepare a data set, an `Embedded` one without a word.

    Raises:
        UsageError: in one line, with the cause.
    """
    embedded = isinstance(builder, Embedded)
    try:
        with quiet_tfds() if embedded else downloads(retry=retry):
            builder.download_and_prepare()
    except UsageError:
        raise
    except Exception as error:
        where = f"; mend {place(type(builder))}" if embedded else ""
        raise UsageError(
            f"{builder.name} could not be prepared in {Path(builder.data_dir)}: {cause(error)}{where}"
        ) from error


def cause(error: Exception) -> str:
    r"""Of an error of tfds, the line that says why, with the feature that it is about.

    >>> cause(ValueError('Failed to encode example:\n{...}\nIn <ClassLabel> with name "label":\n7 is out of range'))
    "the feature 'label': 7 is out of range"
    """
    found = re.search(r'\nIn <\w+> with name "(.*)":\n(.*)', str(error), re.DOTALL)
    if found:
        return f"the feature {found[1]!r}: {first_line(Exception(found[2])).rstrip('.')}"
    if "Failed to encode example:" in str(error):
        return str(error).strip().splitlines()[-1]  # the example itself comes before
    return first_line(error)


@contextlib.contextmanager
def downloads(*, retry: bool) -> Iterator[None]:
    """Without a network, no retries: tfds waits for minutes between its ten."""
    from tensorflow_datasets.core.download import downloader

    usual = downloader.MAX_RETRIES
    downloader.MAX_RETRIES = usual if retry else 0
    try:
        yield
    finally:
        downloader.MAX_RETRIES = usual


@contextlib.contextmanager
def quiet_tfds() -> Iterator[None]:
    """No progress bars and no announcements, for what takes a moment."""
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tfds.enable_progress_bar()
