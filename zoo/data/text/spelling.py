"""Words by their letters, for networks that read them so: bytes of UTF-8, of which there are 256 in any language.

A word is a row of numbers: 1 (it begins), its bytes + 3, 2 (it ends), and 0 up to the length of the row. Of a word that
is too long the first bytes stay, and its end is marked all the same.
"""

from collections.abc import Sequence

import numpy as np

NOTHING, BEGIN, END, FIRST_BYTE = range(4)
LETTERS = FIRST_BYTE + 256  # how many there are


def spelled(words: Sequence[str], length: int) -> np.ndarray:
    """The letters of words, (words, length) int32.

    >>> spelled(["at", "caterpillar"], 6).tolist()
    [[1, 100, 119, 2, 0, 0], [1, 102, 100, 119, 104, 2]]
    """
    letters = np.zeros((len(words), length), "int32")
    for row, word in enumerate(words):
        found = [BEGIN, *(FIRST_BYTE + byte for byte in word.encode()[: length - 2]), END]
        letters[row, : len(found)] = found
    return letters
