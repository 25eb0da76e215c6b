r"""What a token of a text is: a word, a character, or what stands between two spaces.

A **word** is a run of letters, combining marks and digits, in lower case and composed (Unicode's form NFC: "é" is one
letter however it was typed). Apostrophes of both kinds join and become one kind (``don't``), and so do a point or a
comma between digits (``3.14``); hyphens, underscores and all other punctuation separate. An emoji is a word by itself,
with its skin tone and what is joined to it.

    words         of any script that puts something between them
    characters    all of them as they are: for Chinese, Japanese and Thai, which put nothing between words
    spaces        for a text that was cut into tokens already: "New_York" stays what it is, case and all

A fourth kind, ``subwords``, is learned from the text (`zoo.data.text.subwords`).
"""

import functools
import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

MARKUP = re.compile(r"<[^<>]{1,20}>")
NUMBER = r"\d+(?:[.,]\d+)+(?!\w)"
JOINERS = "\u200c\u200d"  # inside of words in Persian and Hindi, and between the parts of an emoji
FIRST_MARK = "\u0300"  # below: Latin letters alone, each of them composed
LAST_CODE, VARIATIONS = 0x1FFFF, range(0xE0100, 0xE01F0)  # beyond them there is neither a mark nor an emoji


@functools.cache
def pattern(*, exclaimed: bool, latin: bool) -> re.Pattern[str]:
    """Of one word.

    Args:
        exclaimed: ! and ? are words as well.
        latin: for texts below `FIRST_MARK` alone, four times as fast.
    """
    letters, emoji = r"\w+", ""
    if not latin:
        categories: dict[str, list[int]] = {"M": [], "Sk": [], "So": []}
        for code in (*range(ord(FIRST_MARK), LAST_CODE + 1), *VARIATIONS):
            category = unicodedata.category(chr(code))
            for name in categories:
                if category.startswith(name):
                    categories[name].append(code)
        marks, signs = ranges(categories["M"]), ranges([code for code in categories["So"] if code >= 0x2600])
        letters = rf"\w[\w{marks}{JOINERS}]*"
        modified = rf"[{signs}][{marks}{ranges(categories['Sk'])}]*"
        emoji = rf"|{modified}(?:\u200d{modified})*"
    return re.compile(rf"{NUMBER}|{letters}(?:'{letters})*{emoji}" + ("|[!?]" if exclaimed else ""))


def ranges(codes: Iterable[int]) -> str:
    r"""Characters as the inside of a regular expression's brackets.

    >>> ranges([97, 98, 99, 120])
    'a-cx-x'
    """
    found: list[list[int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in found)


def words(text: str, *, exclaimed: bool = False) -> list[str]:
    """The words of a text, in lower case.

    >>> words("The dog\u2019s new_york tail: 3.14 feet 🙂!")
    ['the', "dog's", 'new', 'york', 'tail', '3.14', 'feet', '🙂']
    >>> words("हिन्दी में") == ["हिन्दी", "में"], words("Cafe\u0301") == words("Café")
    (True, True)
    """
    text = text.lower().replace("\u2019", "'").replace("_", " ").replace("\u00ad", "")  # the last: soft hyphens
    latin = max(text, default="") < FIRST_MARK
    return pattern(exclaimed=exclaimed, latin=latin).findall(text if latin else unicodedata.normalize("NFC", text))


def words_and_marks(text: str) -> list[str]:
    """Words, and ! and ? with them, which tell something of a review; markup and entities of HTML are undone.

    >>> words_and_marks("Black &amp; white?<br />Never!")
    ['black', 'white', '?', 'never', '!']
    """
    return words(MARKUP.sub(" ", html.unescape(text)), exclaimed=True)


SPLITS_INTO: Mapping[str, Callable[[str], Iterable[str]]] = {  # by what a recipe calls its tokens
    "words": words_and_marks,
    "characters": lambda text: text,
    "spaces": str.split,
}
