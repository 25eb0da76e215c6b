"""A small language made by a grammar, some of whose words have two senses, and in which it is known which one is meant.

    the old merchants count the big bank while the wet sailor likes the deep stranger .

A sentence has two clauses of seven words, each about a field of its own. Four of five nouns, adjectives and verbs of a
clause belong to its field, the rest to none. In one of the clauses stands a word with two senses, and the other clause
is often about the field of the other sense. What stands in its own clause, before the word, behind it or on both sides,
tells which sense is meant: there is always such a clue. But all words of the sentence together often speak for both
senses, and who reads from one side alone must often guess. The verb agrees with its noun, singular or plural.
"""

from typing import Any, NamedTuple

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds

FIELDS = {  # field: its nouns, adjectives and verbs
    "money": ("merchant banker coin loan trader clerk", "rich poor costly", "lend count steal hoard"),
    "water": ("river boat sailor canal ferry island", "wet deep salty", "sail row drain flood"),
    "music": ("singer drum violin piano dancer guitar", "loud tuneful shrill", "play hear sing tune"),
    "animals": ("otter rabbit hunter eagle farmer kitten", "wild furry hungry", "feed hunt tame groom"),
    "tools": ("hammer drill carpenter builder nail ladder", "sharp rusty iron", "build lift sharpen repair"),
    "plants": ("flower garden orchard gardener meadow leaflet", "green ripe leafy", "grow pick prune weed"),
}
NEUTRAL = ("visitor stranger neighbour teacher friend guest", "old big new", "see find like move")
SENSES = {  # word: the fields of its two senses
    "bank": ("money", "water"),
    "note": ("money", "music"),
    "seal": ("money", "animals"),
    "organ": ("animals", "music"),
    "crane": ("animals", "tools"),
    "pike": ("water", "tools"),
    "plant": ("plants", "tools"),
    "spring": ("water", "plants"),
    "trunk": ("plants", "animals"),
    "horn": ("music", "tools"),
}
LENGTH = 16  # tokens of a sentence, with the point at its end
IN_FIELD = 0.8  # how often a word belongs to the field of its clause


class Sentence(NamedTuple):
    """A sentence and its word with two senses: where it stands, and which of its `SENSES` is meant."""

    text: str
    word: str
    place: int
    sense: int
    before: bool  # whether a word of the clause tells the sense before it
    after: bool  # whether one does behind it


def sentences(count: int, seed: int = 0) -> list[Sentence]:
    """Sentences of the language.

    >>> one = sentences(1)[0]
    >>> len(one.text.split()) == LENGTH, one.text.split()[one.place].rstrip("s") == one.word
    (True, True)
    """
    rng = np.random.default_rng(seed)

    def one_of(choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    def clause(field: str, word: str = "", slot: int = -1) -> tuple[list[str], list[bool]]:
        """Its words, the one with two senses as noun 1 or 4 of them, and which of them belong to the field."""
        own = rng.random(5) < IN_FIELD
        kinds = (1, 0, 2, 1, 0)  # adjective, noun, verb, adjective, noun
        found = [one_of((FIELDS[field] if mine else NEUTRAL)[kind].split()) for kind, mine in zip(kinds, own)]
        if word:
            found[slot], own[slot] = word, False
        plural = rng.random(2) < 0.5
        for noun, many in zip((1, 4), plural):
            found[noun] += "s" * int(many)
        found[2] += "s" * int(not plural[0])
        return ["the", *found[:3], "the", *found[3:]], [False, *own[:3], False, *own[3:]]

    rows: list[Sentence] = []
    while len(rows) < count:
        word, slot = one_of(list(SENSES)), one_of((1, 4))
        sense, second = rng.integers(0, 2, 2)
        meant, other = SENSES[word][sense], SENSES[word][1 - sense]
        if rng.random() < 0.5:
            other = one_of([field for field in FIELDS if field not in SENSES[word]])
        words, clues = clause(meant, word, slot)
        place = words.index(word) if word in words else words.index(word + "s")
        if not any(clues):
            continue
        clauses = [words, clause(other)[0]]
        first, last = clauses[::-1] if second else clauses
        text = " ".join([*first, "while", *last, "."])
        rows.append(Sentence(text, word, place + 8 * int(second), int(sense), any(clues[:place]), any(clues[place:])))
    return rows


class TwoSenses(Embedded):
    """10,000 sentences of a generated language with ten words of two senses each."""

    VERSION = tfds.core.Version("1.0.0")
    SENTENCES = 10_000

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Generated: sentences of fifteen words and a point, one word of each with two senses, which "
            "zoo.data.builtin.two_senses.sentences tells. 80 % train, 10 % validation, 10 % test.",
            features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
            disable_shuffling=True,  # they are drawn at random as it is
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        lines = [sentence.text for sentence in sentences(self.SENTENCES)]
        ends = [0, len(lines) * 8 // 10, len(lines) * 9 // 10, len(lines)]
        return {
            split: enumerate({"text": line} for line in lines[start:end])
            for split, start, end in zip(("train", "validation", "test"), ends, ends[1:])
        }
