"""Texts that come with Python, or are made by a program, as genuine tfds builders: no network, no download."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds


class PydocTopics(Embedded):
    """The language reference that Python's ``help()`` shows, from the standard library's `pydoc_data.topics`.

    Many of its articles repeat each other ("customization" is a part of "specialnames"), so each paragraph is kept
    in the longest article that has it, and nowhere else: no paragraph of one split occurs in another. What is left
    of an article (at least 300 characters) is one example, whole in one split; the splits hold 80, 10 and 10 % of
    the characters. The text is that of the Python that prepares the data set: 373,000 characters for 3.11.
    """

    VERSION = tfds.core.Version("1.0.0")
    SPLIT_FRACTIONS = (("train", 0.8), ("validation", 0.1), ("test", 0.1))
    MIN_CHARACTERS = 300

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="The articles of Python's language reference (the standard library's pydoc_data.topics, of "
            "the Python that prepares it); each paragraph once, split by article.",
            features=tfds.features.FeaturesDict({"text": tfds.features.Text(), "topic": tfds.features.Text()}),
            disable_shuffling=True,
            homepage="https://docs.python.org/3/reference/",
        )

    def articles(self) -> dict[str, str]:
        """Topic -> text, the longest article first, each paragraph once."""
        from pydoc_data.topics import topics

        seen: set[str] = set()
        articles: dict[str, str] = {}
        for topic in sorted(topics, key=lambda topic: (-len(topics[topic]), topic)):
            paragraphs = []
            for paragraph in topics[topic].split("\n\n"):
                words = " ".join(paragraph.split())
                if words and words not in seen:
                    seen.add(words)
                    paragraphs.append(paragraph.strip("\n"))
            text = "\n\n".join(paragraphs)
            if len(text) >= self.MIN_CHARACTERS:
                articles[topic] = text
        return articles

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        articles = self.articles()
        missing = {split: fraction * sum(map(len, articles.values())) for split, fraction in self.SPLIT_FRACTIONS}
        chosen: dict[str, list[tuple[str, str]]] = {split: [] for split in missing}
        for topic, text in articles.items():  # the longest first, each to where most is missing
            split = max(missing, key=missing.__getitem__)
            missing[split] -= len(text)
            chosen[split].append((topic, text))
        return {split: self._numbered(pairs) for split, pairs in chosen.items()}

    def _numbered(self, pairs: list[tuple[str, str]]) -> Iterator[tuple[int, dict[str, str]]]:
        for number, (topic, text) in enumerate(pairs):
            yield number, {"text": text, "topic": topic}


NOUNS = (
    "author", "boy", "bridge", "cabinet", "car", "cat", "chair", "doctor", "dog", "farmer", "flower", "garden", "girl",
    "house", "key", "lamp", "letter", "painter", "picture", "river", "school", "student", "table", "teacher", "tower",
    "tree", "village", "window",
)  # fmt: skip
ADJECTIVES = ("big", "blue", "broken", "clever", "cold", "famous", "green", "new", "old", "quiet", "red", "small")
LINKS = ("above", "behind", "beside", "by", "in front of", "near", "next to", "of", "opposite", "under")


class Agreement(Embedded):
    """The beginnings of English sentences, generated: does "is" come next, or "are"?

    "the keys near the old cabinet" are, "the key near the old cabinets" is. Up to four other nouns, each singular or
    plural by chance, stand between the first and the verb to come, so that one must remember which noun came first,
    and how it ended. T. Linzen, E. Dupoux and Y. Goldberg, "Assessing the Ability of LSTMs to Learn Syntax-Sensitive
    Dependencies", TACL 4, 2016, section 3, test networks so on sentences of Wikipedia.
    """

    VERSION = tfds.core.Version("1.0.0")
    COUNT = 8000
    MAX_NOUNS_BETWEEN = 4  # the first noun and the verb

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Generated: 8,000 beginnings of English sentences, half of whose verbs are singular, with up "
            "to four other nouns between subject and verb. Split 70/10/20 at random, stratified by class.",
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "verb": tfds.features.ClassLabel(names=["is", "are"])}
            ),
            supervised_keys=("text", "verb"),
            citation="T. Linzen, E. Dupoux and Y. Goldberg, Assessing the Ability of LSTMs to Learn Syntax-Sensitive "
            "Dependencies, TACL 4, 2016",
        )

    def examples(self) -> tuple[list[str], np.ndarray]:
        rng = np.random.default_rng(2016)

        def one_of(words: tuple[str, ...]) -> str:
            return words[rng.integers(len(words))]

        def noun(plural: int) -> list[str]:
            adjective = [one_of(ADJECTIVES)] if rng.random() < 0.3 else []
            return ["the", *adjective, one_of(NOUNS) + "s" * plural]

        texts: dict[str, None] = {}
        verbs: list[int] = []
        while len(texts) < self.COUNT:
            plural = len(texts) % 2
            words = noun(plural)
            for _ in range(rng.integers(self.MAX_NOUNS_BETWEEN + 1)):
                words += [one_of(LINKS), *noun(int(rng.integers(2)))]
            text = " ".join(words)
            if text not in texts:  # none twice
                texts[text] = None
                verbs.append(plural)
        return list(texts), np.array(verbs)
