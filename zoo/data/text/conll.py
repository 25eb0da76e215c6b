"""Tagged sentences of one's own, in the columns of the shared tasks of CoNLL: a word and its tag on each line, an empty
line between two sentences.

    EU       B-ORG
    rejects  O
    German   B-MISC

The columns stand apart by tabs or else by spaces; the word is the first and the tag the last, or as the recipe says. A
file is divided by its sentences: one in ten tests and one in ten validates, the same sentences together. A folder has
files whose names begin with train, validation (valid, dev) and test; without validation a tenth of train is held out.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from zoo.data.encodings import check_fits, read_text
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.data.text.parallel_folder import MIN_LINES, TENTHS, tenth_of
from zoo.errors import UsageError, unknown

PARTS = {"train": "train", "valid": "validation", "val": "validation", "dev": "validation", "test": "test"}
SUFFIXES = (".conll", ".conllu", ".bio", ".iob", ".iob2", ".tsv", ".txt")
COMMENT = re.compile(r"-DOCSTART-.*|# *(newdoc|newpar|\w+ *=).*")  # of CoNLL-2003 and of CoNLL-U
Sentence = tuple[str, str]  # words and tags, as many of both, with a space between


class TaggedTexts:
    """A file or a folder of tagged sentences.

    Args:
        path: of it.
        word_column: in which the words stand, from 1.
        tag_column: in which the tags stand; 0 is the last one.

    Raises:
        UsageError: where it is none.
    """

    def __init__(self, path: Path, *, word_column: int = 1, tag_column: int = 0):
        self.path, self.name = path, str(path)
        for name, value, least in (("word_column", word_column, 1), ("tag_column", tag_column, 0)):
            if not isinstance(value, int) or value < least:
                raise UsageError(f"{name} is {value!r}; expected the number of a column, from {least}")
        self.columns = word_column, tag_column
        self.files = parts_of(path) if path.is_dir() else {"": [path]}
        if missing := [file for files in self.files.values() for file in files if not file.is_file()]:
            raise UsageError(f"there is no file {missing[0]}; expected one with a word and its tag on each line")
        check_fits([file for files in self.files.values() for file in files], path)

    def sha256(self) -> str:
        """Of names and contents."""
        digest = hashlib.sha256()
        for file in (file for files in self.files.values() for file in files):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        return digest.hexdigest()

    def load(self) -> Source:
        """Read all files and divide what they do not divide."""
        splits = {
            split: [sentence for file in files for sentence in read_conll(file, *self.columns)]
            for split, files in self.files.items()
        }
        if whole := splits.pop("", None):
            splits = {split: [] for split in ("train", "validation", "test")}
            for sentence in whole:
                splits[TENTHS.get(tenth_of(sentence[0]), "train")].append(sentence)
        elif "validation" not in splits:
            parts = [tenth_of(words) for words, _ in splits["train"]]
            splits["validation"] = [each for each, part in zip(splits["train"], parts) if part == 1]
            splits["train"] = [each for each, part in zip(splits["train"], parts) if part != 1]
        if not all(splits.values()):
            count = sum(map(len, splits.values()))
            raise UsageError(f"{self.path} holds {count} sentences, too few that differ; expected {MIN_LINES} or more")

        def split(name: str) -> Any:
            if name not in splits:
                raise unknown(f"split of {self.path}", name, splits)
            return tensorflow().data.Dataset.from_tensor_slices(tuple(map(list, zip(*splits[name]))))

        return Source(self.name, (), split)


def parts_of(folder: Path) -> dict[str, list[Path]]:
    """The files of each split, by how their names begin.

    Raises:
        UsageError: for a folder without those of training or test.
    """
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        part = next((part for begin, part in PARTS.items() if file.name.lower().startswith(begin)), None)
        if part and file.suffix.lower() in SUFFIXES:
            found.setdefault(part, []).append(file)
    if missing := {"train", "test"} - set(found):
        raise UsageError(
            f"{folder} has no file that begins with {min(missing)} and ends in {', '.join(SUFFIXES)}; expected "
            "train.conll and test.conll, and validation.conll if there is one"
        )
    return found


def read_conll(path: Path, word_column: int = 1, tag_column: int = 0) -> list[Sentence]:
    """The sentences of a file.

    Raises:
        UsageError: for a line without the columns, with its number.
    """
    sentences: list[Sentence] = []
    tagged: list[tuple[str, str]] = []
    for number, line in enumerate([*read_text(path).split("\n"), ""], start=1):
        if COMMENT.fullmatch(line):
            continue
        if line.strip():
            tagged.append(word_and_tag(line, word_column, tag_column, f"line {number} of {path}"))
        elif tagged:
            sentences.append((" ".join(word for word, _ in tagged), " ".join(tag for _, tag in tagged)))
            tagged = []
    if not sentences:
        raise UsageError(f"{path} holds no sentences; expected a word and its tag on each line")
    return sentences


def word_and_tag(line: str, word_column: int, tag_column: int, where: str) -> tuple[str, str]:
    """The two of one line.

    >>> word_and_tag("German JJ B-NP B-MISC", 1, 0, "line 3"), word_and_tag("3\\tNew York\\tPROPN", 2, 3, "line 4")
    (('German', 'B-MISC'), ('New_York', 'PROPN'))
    """
    cells = [cell.strip() for cell in line.split("\t")] if "\t" in line.strip() else line.split()
    needed = max(word_column, tag_column, 2)
    if len(cells) < needed or not (cells[word_column - 1] and cells[tag_column - 1]):
        raise UsageError(
            f"{where} is {line.strip()!r}: {len(cells)} columns; expected {needed} or more, the word in column "
            f"{word_column} and its tag in {f'column {tag_column}' if tag_column else 'the last'}"
        )
    word, tag = cells[word_column - 1], cells[tag_column - 1]
    return "_".join(word.split()), "_".join(tag.split())
