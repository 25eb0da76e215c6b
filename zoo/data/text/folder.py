"""A user's own texts: a folder of labelled ones, or a folder of texts to learn to write.

    DIR/positive/*.txt  DIR/negative/*.txt                  divided here: 70 % train, 10 % validation, 20 % test
    DIR/train/positive/*.txt ...  DIR/test/positive/*.txt   as it stands; validation/ if there is one, else a tenth
                                                            of train/
    DIR/*.txt, or one FILE.txt                              for a language model: the first 80 % of the characters,
                                                            the next 10 and the last 10

Files are UTF-8, or what `zoo.data.encodings` makes of them. What is divided here is divided by content: texts that are
the same but for case and spaces, of which collections of reviews have many, come to lie in one split. A table of texts
is opened by `zoo.data.text.table`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.base import SPLITS
from zoo.data.encodings import check_fits, read_text
from zoo.data.sources import Source
from zoo.data.split_record import Example, SplitRecord
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, unknown

MIN_TEXTS = 10  # of a class, so that each split gets some


Labelled = tuple[np.ndarray, np.ndarray, np.ndarray]  # texts, their classes, their files or rows: (texts,) each


def text_files(folder: Path) -> list[Path]:
    """All .txt files in a folder and its sub-folders, sorted."""
    return sorted(path for path in folder.rglob("*.txt") if path.is_file())


class LabelledTexts:
    """Texts with classes, divided or to be divided here."""

    path: Path
    name: str
    class_names: tuple[str, ...]

    def read(self) -> dict[str, Labelled]:
        """The splits that there are: "train" and "test", perhaps "validation"; or "" for all texts together."""
        raise NotImplementedError

    def load(self) -> Source:
        """Read all texts, divide them and open them."""
        splits = self.read()
        for split in splits.keys() - {"validation"}:
            self.check(splits[split])
        if "" in splits:
            rest, test = part(*splits.pop(""), of=5)
            train, validation = part(*rest, of=8)
            splits = {"train": train, "validation": validation, "test": test}
        elif "validation" not in splits:
            splits["train"], splits["validation"] = part(*splits["train"], of=10)
        return self._opened(splits, self.class_names)

    def load_by(self, record: SplitRecord) -> Source:
        """As `load`, with the splits and the classes of a run, whatever has changed since."""
        read = self.read()
        found = [each for split, texts in read.items() for each in self._examples(split, texts, self.class_names)]
        texts, _, names = (np.concatenate(column) for column in zip(*read.values()))
        placed = record.place(found, self.name, "texts")
        splits = {}
        for split in SPLITS:
            rows = [row for row, then in enumerate(placed) if then is not None and then.split == split]
            numbers = [record.class_names.index(then.label) for then in placed if then and then.split == split]
            splits[split] = texts[rows], np.array(numbers, int), names[rows]
        return self._opened(splits, record.class_names)

    def _opened(self, splits: Mapping[str, Labelled], class_names: tuple[str, ...]) -> Source:
        def split(text: str) -> Any:
            if text not in splits:
                raise unknown(f"split of {self.path}", text, splits)
            return tensorflow().data.Dataset.from_tensor_slices(splits[text][:2])

        examples = tuple(each for name in splits for each in self._examples(name, splits[name], class_names))
        return Source(self.name, class_names, split, examples=examples)

    def _examples(self, split: str, texts: Labelled, class_names: Sequence[str]) -> list[Example]:
        return [Example(split, class_names[label], content(text), name) for text, label, name in zip(*texts)]

    def check(self, texts: Labelled) -> None:
        """Raise unless there are enough texts of each class."""
        counts = np.bincount(texts[1], minlength=len(self.class_names))
        if counts.min() < MIN_TEXTS:
            raise UsageError(
                f"{self.path} holds {counts.min()} texts of the class {self.class_names[int(counts.argmin())]}; "
                f"expected at least {MIN_TEXTS} of each"
            )


class TextFolder(LabelledTexts):
    """A sub-folder of .txt files for each class."""

    def __init__(self, path: Path):
        self.path, self.name = path, str(path)
        self.divided = (path / "train").is_dir() and (path / "test").is_dir()
        inside = path / "train" if self.divided else path
        self.class_names = tuple(sorted(each.name for each in inside.iterdir() if each.is_dir() and text_files(each)))
        if len(self.class_names) < 2:
            found = ", ".join(self.class_names) or "none"
            raise UsageError(
                f"{inside} has {len(self.class_names)} sub-folders with .txt files ({found}); "
                "expected one for each class, at least 2"
            )
        check_fits(text_files(path), path)

    def sha256(self) -> str:
        """Of names and contents, in order."""
        digest = hashlib.sha256()
        for path in text_files(self.path):
            digest.update(str(path.relative_to(self.path)).encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()

    def read(self) -> dict[str, Labelled]:
        if not self.divided:
            return {"": self._read(self.path)}
        return {split: self._read(self.path / split) for split in SPLITS if (self.path / split).is_dir()}

    def _read(self, folder: Path) -> Labelled:
        texts, labels, names = [], [], []
        for label, name in enumerate(self.class_names):
            files = text_files(folder / name)
            found = [read_text(path) for path in files]
            if empty := [path for path, text in zip(files, found) if not text.strip()]:
                raise UsageError(f"{empty[0]} is empty; expected a text: remove the file")
            texts += found
            labels += [label] * len(files)
            names += [path.relative_to(self.path).as_posix() for path in files]
        return np.array(texts, object), np.array(labels, int), np.array(names, object)


def content(text: str) -> str:
    """The SHA-256 of a text but for case and spaces."""
    return hashlib.sha256(" ".join(text.lower().split()).encode()).hexdigest()


def part(texts: np.ndarray, labels: np.ndarray, files: np.ndarray, *, of: int) -> tuple[Labelled, Labelled]:
    """Hold one part in `of` out: stratified by class, the same texts together. -> the rest, what is held out"""
    from sklearn.model_selection import StratifiedGroupKFold

    contents = [content(text) for text in texts]
    for label in np.unique(labels):
        different = len({content for content, each in zip(contents, labels) if each == label})
        if different < of:
            raise UsageError(
                f"a class has {different} different texts where one in {of} is to be held out; expected at least {of}: "
                "add texts"
            )
    folds = StratifiedGroupKFold(of, shuffle=True, random_state=0).split(texts, labels, contents)
    rest, held = next(iter(folds))
    return (texts[rest], labels[rest], files[rest]), (texts[held], labels[held], files[held])


SPLIT_RANGES = {
    "train": (0, 0.8),
    "validation": (0.8, 0.9),
    "test": (0.9, 1),
}  # of a corpus: fractions of its characters


class CorpusFolder:
    """Texts without labels: one text file, or all .txt files of a folder, in the order of their names."""

    def __init__(self, path: Path):
        self.path, self.name = path, str(path)
        self.files = [path] if path.is_file() else text_files(path)
        if not self.files:
            raise UsageError(f"{path} holds no .txt files; expected at least one, in UTF-8")
        check_fits(self.files, path)

    def sha256(self) -> str:
        """Of the contents, in order."""
        return hashlib.sha256(b"\0".join(path.read_bytes() for path in self.files)).hexdigest()

    def load(self) -> Source:
        """Read all texts as one and divide it."""
        text = "\n\n".join(read_text(path) for path in self.files)

        def split(name: str) -> Any:
            if name not in SPLIT_RANGES:
                raise unknown(f"split of {self.path}", name, SPLIT_RANGES)
            start, end = (int(fraction * len(text)) for fraction in SPLIT_RANGES[name])
            return tensorflow().data.Dataset.from_tensor_slices({"text": [text[start:end]]})

        return Source(self.name, (), split)
