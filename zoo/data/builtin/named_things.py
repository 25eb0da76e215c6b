"""A small language made by a grammar, in which one name may be a person, a place or a firm, and neighbours tell which.

    B-PER   O  O     O  B-LOC  I-LOC O   O     B-ORG I-ORG O    I-ORG ...
    lincoln , who is in port   hudson , left   bank  of    kent ...

A single name says nothing: the words before it tell what it is ("in austin"), or those behind it ("austin laughed"), or
what stands at the end of a list ("austin , kent and hudson laughed"). Some words belong to a name or to none: "the bank
of the river" and "the bank of kent".
"""

from typing import Any

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds

TEXT = """
    lincoln jordan madison austin chelsea florence hudson paris kent sydney jackson dallas logan carson boston preston
    devon lorraine victoria houston
"""
NAMES = TEXT.split()
KINDS = {  # of a name: its forms, in which * is one of `NAMES`
    "PER": ("*", "*", "anna *", "peter *", "maria *", "* *"),
    "LOC": ("*", "*", "new *", "port *", "* city", "* falls"),
    "ORG": ("*", "*", "* motors", "bank of *", "* and sons", "new * press"),
}
CLAUSES = (  # with a kind of name in each place
    "PER laughed",
    "PER wrote to PER",
    "PER , a painter , lives in LOC",
    "PER left the firm of PER",
    "PER works for ORG",
    "PER , PER and PER laughed",
    "the painter PER met PER in LOC",
    "the mayor of LOC met PER",
    "the road from LOC to LOC is closed",
    "LOC lies by the sea",
    "LOC , LOC and LOC lie by the sea",
    "the bank of the river near LOC is high",
    "new roads lead to LOC",
    "ORG sold its shares",
    "ORG , ORG and ORG sold their shares",
    "ORG hired PER",
    "ORG moved from LOC to LOC",
    "shares of ORG fell",
    "the motors of ORG are loud",
    "the city has sold ORG to ORG",
)


def sentences(count: int, seed: int = 0) -> list[tuple[list[str], list[str]]]:
    """The words and the tags of sentences: B begins a name, I goes on with it, O is none.

    >>> words, tags = sentences(1)[0]
    >>> len(words) == len(tags), words[-1], tags[-1]
    (True, '.', 'O')
    """
    rng = np.random.default_rng(seed)

    def one_of(choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    def clause() -> list[tuple[str, str]]:
        found = []
        for part in one_of(CLAUSES).split():
            if part not in KINDS:
                found.append((part, "O"))
                continue
            name = [one_of(NAMES) if word == "*" else word for word in one_of(KINDS[part]).split()]
            found += [(word, f"{'I' if place else 'B'}-{part}") for place, word in enumerate(name)]
        return found

    rows = []
    for _ in range(count):
        tagged = [*clause(), *([("while", "O"), *clause()] if rng.random() < 0.5 else []), (".", "O")]
        rows.append(([word for word, _ in tagged], [tag for _, tag in tagged]))
    return rows


class NamedThings(Embedded):
    """4,000 sentences of a generated language, with the names in them marked as persons, places and firms."""

    VERSION = tfds.core.Version("1.0.0")
    SENTENCES = 4_000

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Generated: sentences with names of persons, places and firms, and a tag for each word, both "
            "with spaces between. 1,000 train, as tagged text is dear, 1,000 validate and 2,000 test.",
            features=tfds.features.FeaturesDict({"words": tfds.features.Text(), "tags": tfds.features.Text()}),
            supervised_keys=("words", "tags"),
            disable_shuffling=True,  # they are drawn at random as it is
        )

    def examples(self) -> tuple[list[str], list[str]]:
        words, tags = zip(*sentences(self.SENTENCES))
        return [" ".join(each) for each in words], [" ".join(each) for each in tags]

    def rows(self, x: Any, y: Any) -> dict[str, Any]:
        first, second = len(x) // 4, len(x) // 2
        return {"train": range(first), "validation": range(first, second), "test": range(second, len(x))}
