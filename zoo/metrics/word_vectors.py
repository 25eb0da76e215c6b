"""What word vectors know (analogies, similarities, neighbours), and the files that other programs read them from.

>>> vectors = WordVectors(["king", "queen", "man", "woman"], np.array([[1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 0, 1]]))
>>> vectors.analogy("man", "woman", "king")  # man is to woman as king is to ...
'queen'
"""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.deprecated import warn
from zoo.errors import UsageError, unknown

MAX_ANALOGY_WORDS = 30_000  # the commonest words, among which answers are looked for, as the literature does
QUESTIONS_AT_ONCE = 512  # a score for each question and word: not all in memory
Questions = Mapping[str, Sequence[tuple[str, str, str, str]]]  # section -> (a, b, c, d): a is to b as c is to d
Similarities = Sequence[tuple[str, str, float]]  # two words, and how alike people find them


@dataclass(frozen=True)
class Score:
    """How well, and on how much."""

    value: float  # a correlation, or the fraction of answers that are correct
    asked: int  # of how many questions
    known: int  # all of whose words are in the vocabulary; the others are left out

    def __str__(self) -> str:
        if not self.known:
            return f"none of the {self.asked:,} questions is about words that are known here"
        return f"{self.value:.4f} on {self.known:,} of {self.asked:,}"


class WordVectors:
    """Words, the commonest first, and a vector for each.

    Args:
        words: all different.
        vectors: (words, dimension).
    """

    def __init__(self, words: Sequence[str], vectors: np.ndarray):
        self.words, self.vectors = tuple(words), np.asarray(vectors, "float32")
        if len(self.words) != len(self.vectors):
            raise UsageError(
                f"there are {len(self.words)} words and {len(self.vectors)} vectors; expected one for each"
            )
        self.ids = {word: row for row, word in enumerate(self.words)}  # row numbers of `vectors`

    @property
    def places(self) -> dict[str, int]:
        """The name of `ids` in version 0.1."""
        warn("WordVectors.places", "WordVectors.ids")
        return self.ids

    @cached_property
    def directions(self) -> np.ndarray:
        """(words, dimension): the vectors at length 1; a vector of zeros stays."""
        return self.vectors / np.maximum(np.linalg.norm(self.vectors, axis=1, keepdims=True), 1e-12)

    def id(self, word: str) -> int:
        """The row of a word.

        Raises:
            UsageError: for a word that is not among them.
        """
        if word not in self.ids:
            common = self.words[:MAX_ANALOGY_WORDS]
            raise unknown("word", word, common, hint=f"the text has {len(self.words):,} words")
        return self.ids[word]

    def place(self, word: str) -> int:
        """The name of `id` in version 0.1."""
        warn("WordVectors.place", "WordVectors.id")
        return self.id(word)

    def neighbours(self, word: str, count: int = 10) -> list[tuple[str, float]]:
        """The nearest words by cosine similarity, and their cosines."""
        return self.nearest(self.directions[self.id(word)], [word], count)

    def nearest(self, direction: np.ndarray, excluded: Sequence[str], count: int) -> list[tuple[str, float]]:
        """The words nearest to a direction (dimension,) by cosine similarity, but for some; and their cosines."""
        cosines = self.directions[:MAX_ANALOGY_WORDS] @ (direction / max(np.linalg.norm(direction), 1e-12))
        cosines[[self.ids[word] for word in excluded if self._is_common(word)]] = -np.inf
        best = np.argsort(-cosines, kind="stable")[: min(count, len(cosines) - len(set(excluded)))]
        return [(self.words[row], float(cosines[row])) for row in best]

    def analogy(self, a: str, b: str, c: str) -> str:
        """a is to b as c is to which word? The nearest to b - a + c, those three left out (3CosAdd)."""
        a_, b_, c_ = (self.directions[self.id(word)] for word in (a, b, c))
        return self.nearest(b_ - a_ + c_, (a, b, c), 1)[0][0]

    def analogies(self, questions: Questions) -> dict[str, Score]:
        """The fraction of each section that is answered correctly, and of all together (section ``""``)."""
        rows = {section: self._known_rows(words) for section, words in questions.items()}  # (questions, 4) each
        correct = {section: self._answers(each) == each[:, 3] for section, each in rows.items()}
        correct[""] = np.concatenate(list(correct.values()))
        asked = {section: len(words) for section, words in questions.items()}
        asked[""] = sum(asked.values())
        return {
            section: Score(float(each.mean()) if len(each) else float("nan"), asked[section], len(each))
            for section, each in correct.items()
        }

    def _known_rows(self, questions: Sequence[tuple[str, ...]]) -> np.ndarray:
        """The questions all of whose words are common here, as rows of `vectors`: (questions, 4)."""
        known = [[self.ids[word] for word in words] for words in questions if all(map(self._is_common, words))]
        return np.array(known, int).reshape(-1, 4)

    def _is_common(self, word: str) -> bool:
        return self.ids.get(word, MAX_ANALOGY_WORDS) < MAX_ANALOGY_WORDS

    def _answers(self, rows: np.ndarray) -> np.ndarray:
        """(questions, 4) rows of a, b, c, d -> (questions,) rows of the answers."""
        common = self.directions[:MAX_ANALOGY_WORDS]
        answers = np.zeros(len(rows), int)
        for start in range(0, len(rows), QUESTIONS_AT_ONCE):
            a, b, c, _ = rows[start : start + QUESTIONS_AT_ONCE].T
            scores = (common[b] - common[a] + common[c]) @ common.T  # (questions, words)
            for given in (a, b, c):
                scores[np.arange(len(given)), given] = -np.inf
            answers[start : start + QUESTIONS_AT_ONCE] = scores.argmax(1)
        return answers

    def similarity(self, pairs: Similarities) -> Score:
        """Spearman's rank correlation of the cosines with what people find alike."""
        from scipy.stats import spearmanr

        known = [(self.ids[a], self.ids[b], rating) for a, b, rating in pairs if {a, b} <= self.ids.keys()]
        if len(known) < 3:
            return Score(float("nan"), len(pairs), len(known))
        a, b, ratings = (np.array(column) for column in zip(*known))
        cosines = np.einsum("nd,nd->n", self.directions[a], self.directions[b])
        return Score(float(spearmanr(cosines, ratings).statistic), len(pairs), len(known))

    def save_word2vec(self, path: Path, *, binary: bool = False) -> Path:
        """As word2vec's own program writes them: a line of sizes, then each word and its numbers."""
        odd = [word for word in self.words if re.search(r"\s", word)]
        if odd:
            raise UsageError(f"the word {odd[0]!r} holds a space, which ends a word in this format; rename it")
        with path.open("wb") as file:
            file.write(f"{len(self.words)} {self.vectors.shape[1]}\n".encode())
            for word, vector in zip(self.words, self.vectors):
                if binary:
                    file.write(f"{word} ".encode() + vector.astype("<f4").tobytes() + b"\n")
                else:  # nine digits hold all of a float32
                    file.write(f"{word} {' '.join(f'{number:.9g}' for number in vector)}\n".encode())
        return path

    def save_projector(self, folder: Path) -> Path:
        """For TensorBoard's projector, in a browser or by ``tensorboard --logdir FOLDER``."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / "vectors.tsv", self.vectors, fmt="%.6g", delimiter="\t")
        (folder / "words.tsv").write_text("\n".join(self.words) + "\n", encoding="utf-8")
        (folder / "projector_config.pbtxt").write_text(
            'embeddings { tensor_path: "vectors.tsv" metadata_path: "words.tsv" }\n'
        )
        return folder


def vectors_of(model: Any) -> np.ndarray:
    """(words, dimension): the vectors of a network. For GloVe, whose tables learn the same thing, (e + theta) / 2."""
    tables = [model.get_layer("words")]
    if model.layers[-1].name == "log_count":
        tables.append(model.get_layer("theta"))
    return np.mean([layer.get_weights()[0] for layer in tables], axis=0)


# The questions


def read_judgement(path: str | Path) -> Questions | Similarities:
    """A file of analogies (": section" lines and rows of four words) or of similarities (two words and a number).

    Raises:
        UsageError: for a file that is neither, with the line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").lower().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as UTF-8 text: {error}") from None
    questions: dict[str, list[tuple[str, str, str, str]]] = {}
    pairs: list[tuple[str, str, float]] = []
    section = "all"
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] == ":":
            section = " ".join(words[1:])
        elif len(words) == 4:
            questions.setdefault(section, []).append((words[0], words[1], words[2], words[3]))
        elif len(words) == 3 and re.fullmatch(r"-?\d+(\.\d+)?", words[2]):
            pairs.append((words[0], words[1], float(words[2])))
        elif number > 1:  # the first may be a heading
            raise UsageError(
                f"line {number} of {path} is {line[:60]!r}; expected four words, or two words and a number"
            )
    if bool(questions) == bool(pairs):
        raise UsageError(
            f"{path} holds {'both kinds' if pairs else 'no'} questions; expected analogies or similarities"
        )
    return questions or pairs


def known_judgements() -> dict[str, Path]:
    """The usual files, from gensim's tests, where it is installed."""
    found = importlib.util.find_spec("gensim")
    if found is None or found.origin is None:
        return {}
    folder = Path(found.origin).parent / "test" / "test_data"
    files = {"analogies": "questions-words.txt", "wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}
    return {name: folder / file for name, file in files.items() if (folder / file).is_file()}
