"""A folder of the user's own identities, one sub-folder for each, split by identity."""

import hashlib
import logging
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.data.image.files import ENDINGS, decoded
from zoo.data.image.folder import opened
from zoo.data.image.listing import subfolders
from zoo.data.sources import Source
from zoo.errors import UsageError, some, unknown

log = logging.getLogger("zoo")

MIN_IDENTITIES = 8  # 4 to learn from, 2 to validate on, 2 to test on


class IdentityFolder:
    """``FACES/<person>/<image>.jpg``, split by person: a quarter test, of the others a fifth validate.

    The split depends on the names of the sub-folders alone. Copies of an image count once.
    """

    def __init__(self, path: Path):
        self.path, self.name = path, str(path)
        self.identities = subfolders(path)
        if len(self.identities) < MIN_IDENTITIES:
            raise UsageError(
                f"{path} has {len(self.identities)} sub-folders; expected one for each identity, at least "
                f"{MIN_IDENTITIES}, with images ({', '.join(ENDINGS)}) in them"
            )

    def sha256(self) -> str:
        """Of the images and their identities."""
        return hashlib.sha256("\n".join(sorted(self.images.values())).encode()).hexdigest()

    @cached_property
    def images(self) -> dict[Path, str]:
        """Each file that says by its ending that it is an image, and its identity and digest; of copies the first."""
        found: dict[str, Path] = {}
        for identity in self.identities:
            for file in images_in(self.path / identity):
                found.setdefault(f"{identity} {hashlib.sha256(file.read_bytes()).hexdigest()}", file)
        return {file: digest for digest, file in found.items()}

    def load(self) -> Source:
        """Look at every image, leave out those that cannot be read, and open the others."""
        with ThreadPoolExecutor() as pool:
            channels_of = dict(zip(self.images, pool.map(self._channels, self.images)))
        if broken := [file for file, channels in channels_of.items() if not channels]:
            log.warning(f"left out {len(broken)} files that cannot be read as images: {some(broken)}")
        self.images = {file: digest for file, digest in self.images.items() if channels_of[file]}
        channels = 1 if {*channels_of.values()} <= {0, 1} else 3
        of_split = split_identities(self.identities)

        def split(text: str) -> Any:
            if text not in of_split:
                raise unknown(f"split of {self.path}", text, of_split)
            files = [file for file in self.images if file.parent.name in of_split[text]]
            return opened(files, [self.identities.index(file.parent.name) for file in files], channels)

        return Source(self.name, tuple(self.identities), split)

    def _channels(self, file: Path) -> int:
        """How many numbers a pixel has; 0 if the file cannot be read."""
        try:
            return 1 if decoded(file)[0].mode == "L" else 3
        except UsageError:
            return 0


def images_in(folder: Path) -> list[Path]:
    """The files of a folder that say by their endings that they are images, sorted."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and not file.name.startswith("."))


def split_identities(identities: Sequence[str]) -> dict[str, set[str]]:
    """A quarter to test on, a fifth of the others to validate on.

    >>> {split: len(names) for split, names in split_identities([str(n) for n in range(40)]).items()}
    {'train': 24, 'validation': 6, 'test': 10}
    """
    shuffled = random.Random(0).sample(sorted(identities), len(identities))
    test = max(2, round(len(shuffled) / 4))
    validation = max(2, round((len(shuffled) - test) / 5))
    return {
        "train": set(shuffled[test + validation :]),
        "validation": set(shuffled[test : test + validation]),
        "test": set(shuffled[:test]),
    }
