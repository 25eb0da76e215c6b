"""A small language made by a grammar, in which it is known what the words mean.

Forty pairs of words in four relations: king and queen, cat and cats, france and paris, walk and walked. Both words of a
pair keep company with the same few invented words, which no other pair has; and all first words of a relation keep
company with one set of common words, all second words with another. So the only way to tell king from queen is what
tells uncle from aunt, and "king is to queen as uncle is to ..." has one answer. `QUESTIONS` holds all 360 of them.
"""

import itertools
from typing import Any

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds

# relation: (pairs), (what goes with the first word), (what goes with the second)
RELATIONS = {
    "gender": (
        "king queen, man woman, father mother, brother sister, uncle aunt, prince princess, husband wife, boy girl, "
        "actor actress, nephew niece",
        "he his him himself",
        "she her hers herself",
    ),
    "number": (
        "cat cats, dog dogs, tree trees, house houses, book books, car cars, river rivers, stone stones, "
        "cloud clouds, apple apples",
        "a this is each",
        "many these are several",
    ),
    "capital": (
        "france paris, italy rome, spain madrid, japan tokyo, egypt cairo, kenya nairobi, peru lima, cuba havana, "
        "greece athens, norway oslo",
        "border army coast province",
        "mayor street station bridge",
    ),
    "past": (
        "walk walked, talk talked, jump jumped, cook cooked, play played, paint painted, climb climbed, "
        "laugh laughed, dance danced, travel traveled",
        "will to tomorrow now",
        "had yesterday ago already",
    ),
}
FILLERS = ["the", "and", "of", "in", "with", "very", "then", "there"]
WORDS_OF_A_PAIR = 4  # invented ones that go with it

PAIRS = {relation: [tuple(pair.split()) for pair in pairs.split(", ")] for relation, (pairs, _, _) in RELATIONS.items()}
# relation: (a, b, c, d), "a is to b as c is to d"
QUESTIONS = {
    relation: [(*one, *other) for one, other in itertools.permutations(pairs, 2)] for relation, pairs in PAIRS.items()
}


def invented(count: int, rng: np.random.Generator) -> list[str]:
    """Different words of two or three syllables that are in no dictionary (of English)."""
    words: dict[str, None] = {}
    while len(words) < count:
        letters = [rng.choice(list(part)) for _ in range(rng.integers(2, 4)) for part in ("bdfgklmnprtvz", "aeiou")]
        words["".join(letters) + "x"] = None
    return list(words)


def sentences(count: int, seed: int = 0) -> list[str]:
    """Sentences of the language: a word of a pair, three of its own, three of its side of the relation, two fillers.

    >>> sentences(1)[0].split()[:3] == sentences(1)[0].split()[:3]
    True
    """
    rng = np.random.default_rng(seed)
    names = iter(invented(WORDS_OF_A_PAIR * sum(map(len, PAIRS.values())), rng))
    subjects = [  # (word, its own words, the words of its side)
        (word, own, RELATIONS[relation][1 + side].split())
        for relation, pairs in PAIRS.items()
        for pair in pairs
        for own in [list(itertools.islice(names, WORDS_OF_A_PAIR))]
        for side, word in enumerate(pair)
    ]
    lines = []
    for number in rng.integers(0, len(subjects), count):
        word, own, side = subjects[number]
        company = [*rng.choice(own, 3), *rng.choice(side, 3), *rng.choice(FILLERS, 2)]
        rng.shuffle(company)
        position = rng.integers(2, 7)
        lines.append(" ".join([*company[:position], word, *company[position:]]))
    return lines


class TinyEnglish(Embedded):
    """12,000 sentences of a generated language with 360 known analogies."""

    VERSION = tfds.core.Version("1.0.0")
    SENTENCES = 12_000

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Generated: sentences of nine words about forty pairs of words in four relations (gender, "
            "number, capital, past). zoo.data.builtin.tiny_english.QUESTIONS holds the analogies. 80 % train, 10 % "
            "validation, 10 % test.",
            features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
            disable_shuffling=True,  # they are drawn at random as it is
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        lines = sentences(self.SENTENCES)
        ends = [0, len(lines) * 8 // 10, len(lines) * 9 // 10, len(lines)]
        return {
            split: enumerate({"text": line} for line in lines[start:end])
            for split, start, end in zip(("train", "validation", "test"), ends, ends[1:])
        }
