"""A folder of the user's own identities, one sub-folder for each, split by identity."""

import hashlib
import logging
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.data.base import SPLITS
from zoo.data.image.files import ENDINGS, TOO_MANY_PIXELS, decoded
from zoo.data.image.jpeg import Size, parsed
from zoo.data.image.listing import subfolders
from zoo.data.image.reading import opened
from zoo.data.sources import Source
from zoo.data.split_record import LEARNED_FROM, Example, SplitRecord
from zoo.errors import UsageError, some, unknown

log = logging.getLogger("zoo")

MIN_IDENTITIES = 8  # 4 to learn from, 2 to validate on, 2 to test on


class IdentityFolder:
    """``FACES/<person>/<image>.jpg``, split by person: a quarter test, of the others a fifth validate.

    The split depends on the names of the sub-folders alone, and a run keeps it. Copies of an image count once. Large
    photographs are read as `zoo.data.image.folder.ImageFolder` does it.
    """

    def __init__(self, path: Path, *, cover: Size | None = None):
        self.path, self.name, self.at_least = path, str(path), cover
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
        split_of = {name: split for split, names in split_identities(self.identities).items() for name in names}
        return self._opened({file: (split_of[file.parent.name], file.parent.name) for file in self._readable()})

    def load_by(self, record: SplitRecord) -> Source:
        """As `load`, with the splits and the names of a run. New identities, where they count, test and validate."""
        files = self._readable()
        found = [self._example(file, "", file.parent.name) for file in files]
        known = {each.label: each.split for each in record.examples}
        may_test = {name for name in {*self.identities, *known} if known.get(name) not in LEARNED_FROM}
        record = replace(record, class_names=tuple(sorted(may_test)))
        placed = {file: then for file, then in zip(files, record.place(found, self.name, "images")) if then}
        new = sorted({then.label for then in placed.values()} - known.keys())
        validates = split_identities(new)["validation"] if len(new) >= MIN_IDENTITIES else set()
        return self._opened(
            {
                file: ("validation" if then.label in validates else then.split, then.label)
                for file, then in placed.items()
            }
        )

    def _opened(self, files: Mapping[Path, tuple[str, str]]) -> Source:
        """A source of files with their split and identity."""
        channels = 1 if {*self._channels_of.values()} <= {0, 1} else 3
        names = sorted({name for _, name in files.values()})

        def split(text: str) -> Any:
            if text not in SPLITS:
                raise unknown(f"split of {self.path}", text, SPLITS)
            chosen = [(file, names.index(name)) for file, (split, name) in files.items() if split == text]
            return opened([file for file, _ in chosen], [label for _, label in chosen], channels, self.at_least)

        examples = tuple(self._example(file, split, name) for file, (split, name) in files.items())
        return Source(self.name, tuple(names), split, examples=examples)

    def _example(self, file: Path, split: str, identity: str) -> Example:
        return Example(split, identity, self.images[file].rpartition(" ")[2], file.relative_to(self.path).as_posix())

    @cached_property
    def _channels_of(self) -> dict[Path, int]:
        with ThreadPoolExecutor() as pool:
            return dict(zip(self.images, pool.map(self._channels, self.images)))

    def _readable(self) -> list[Path]:
        """The files that can be read; the others are named."""
        if broken := [file for file, channels in self._channels_of.items() if not channels]:
            log.warning(f"left out {len(broken)} files that cannot be read as images: {some(broken)}")
        return [file for file, channels in self._channels_of.items() if channels]

    def _channels(self, file: Path) -> int:
        """How many numbers a pixel has; 0 if the file cannot be read."""
        found = parsed(file.read_bytes()) if file.suffix.lower() in (".jpg", ".jpeg") else None
        if found and found.plain:
            return found.channels
        try:
            return 1 if decoded(file)[0].mode == "L" else 3
        except UsageError as error:
            if TOO_MANY_PIXELS in str(error):
                raise
            return 0


def images_in(folder: Path) -> list[Path]:
    """The files of a folder that say by their endings that they are images, sorted."""
    found = (file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and not file.name.startswith("."))
    return sorted(file for file in found if file.is_file())


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
