"""How well the named parts of a text are found: F1 over whole spans, as the task of CoNLL-2000 scores it.

E. Tjong Kim Sang and S. Buchholz, "Introduction to the CoNLL-2000 Shared Task: Chunking", CoNLL 2000.
"""

import re
from collections.abc import Iterable, Sequence

BIO = re.compile(r"O|[BI]-.+")


def are_bio(tags: Iterable[str]) -> bool:
    """Whether tags mark spans: O outside, B-KIND where one begins, I-KIND further inside (IOB2).

    >>> are_bio(["O", "B-PER", "I-PER"]), are_bio(["NOUN", "O"]), are_bio(["O"])
    (True, False, False)
    """
    found = set(tags)
    return found > {"O"} and all(map(BIO.fullmatch, found))


def spans(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The spans of a sentence: (kind, first word, word behind the last).

    An I that goes on with nothing, or with another kind, begins a span.

    >>> sorted(spans(["B-PER", "I-PER", "B-PER", "O", "I-LOC", "I-ORG"]))
    [('LOC', 4, 5), ('ORG', 5, 6), ('PER', 0, 2), ('PER', 2, 3)]
    """
    found, kind, start = set(), "", 0
    for place, tag in enumerate([*tags, "O"]):
        letter, _, this = tag.partition("-")
        if kind and (letter != "I" or this != kind):
            found.add((kind, start, place))
            kind = ""
        if letter != "O" and not kind:
            kind, start = this, place
    return found


def span_f1(targets: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> float:
    """2 PR / (P + R) over the spans of all sentences, of which one is right if kind, begin and end are; 0 for none.

    >>> round(span_f1([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-LOC"]]), 2)  # one of two each
    0.5
    """
    right = all_of_them = 0
    for true, predicted in zip(map(spans, targets), map(spans, predictions)):
        right += len(true & predicted)
        all_of_them += len(true) + len(predicted)
    return 2 * right / all_of_them if all_of_them else 0.0
