"""Progress bars on a terminal; logs and files get none."""

import sys
from collections.abc import Callable


def progress_bar(total: int | None, unit: str) -> Callable[[int], None]:
    """A function to call with how much is done, of `total`."""
    if not sys.stdout.isatty():
        return lambda done: None
    from keras.utils import Progbar

    update: Callable[[int], None] = Progbar(total, unit_name=unit).update
    return update
