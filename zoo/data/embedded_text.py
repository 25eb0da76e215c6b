"""Texts that come with Python, or are made by a program, as genuine tfds builders: no network, no download."""

import numpy as np
import tensorflow_datasets as tfds

from zoo.data.embedded import Embedded


class PydocTopics(Embedded):
    """The language reference that Python's ``help()`` shows, from the standard library's `pydoc_data.topics`.

    Many of its articles repeat each other ("customization" is a part of "specialnames"), so each paragraph is kept
    in the longest article that has it, and nowhere else: no paragraph of one split occurs in another. What is left
    of an article (at least 300 characters) is one example, whole in one split; the splits hold 80, 10 and 10 % of
    the characters. The text is that of the Python that prepares the data set: 373,000 characters for 3.11.
    """

    VERSION = tfds.core.Version("1.0.0")
    SHARES = (("train", 0.8), ("validation", 0.1), ("test", 0.1))
    SHORTEST = 300

    def _info(self):
        return self.dataset_info_from_configs(
            description="The articles of Python's language reference (the standard library's pydoc_data.topics, of "
            "the Python that prepares it); each paragraph once, split by article.",
            features=tfds.features.FeaturesDict({"text": tfds.features.Text(), "topic": tfds.features.Text()}),
            disable_shuffling=True,
            homepage="https://docs.python.org/3/reference/",
        )

    def articles(self):
        """Topic -> text, the longest article first, each paragraph once."""
        from pydoc_data.topics import topics

        seen, articles = set(), {}
        for topic in sorted(topics, key=lambda topic: (-len(topics[topic]), topic)):
            paragraphs = []
            for paragraph in topics[topic].split("\n\n"):
                words = " ".join(paragraph.split())
                if words and words not in seen:
                    seen.add(words)
                    paragraphs.append(paragraph.strip("\n"))
            text = "\n\n".join(paragraphs)
            if len(text) >= self.SHORTEST:
                articles[topic] = text
        return articles

    def _split_generators(self, dl_manager):
        articles = self.articles()
        goal = {split: share * sum(map(len, articles.values())) for split, share in self.SHARES}
        chosen = {split: [] for split in goal}
        for topic, text in articles.items():  # the longest first, each to where most is missing
            split = max(goal, key=goal.get)
            goal[split] -= len(text)
            chosen[split].append((topic, text))
        return {split: self._generate_examples(pairs) for split, pairs in chosen.items()}

    def _generate_examples(self, pairs):
        for number, (topic, text) in enumerate(pairs):
            yield number, {"text": text, "topic": topic}


# Reber's grammar: state -> the letters that may come next, each with the state after it. State 6 ends a string.
REBER = (
    (("B", 1),),
    (("T", 2), ("P", 3)),
    (("S", 2), ("X", 4)),
    (("T", 3), ("V", 5)),
    (("X", 3), ("S", 6)),
    (("P", 4), ("V", 6)),
)


class ReberStrings(Embedded):
    """Legal and illegal strings of the embedded Reber grammar, generated.

    S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, section 5.1. A string is
    B, then T or P, then a string of Reber's grammar, then *the same* T or P again, then E. Here half of the strings
    have the other letter in that last place: to tell them apart, one must remember the second letter over everything
    between. How often each letter or pair of letters occurs says next to nothing.
    """

    VERSION = tfds.core.Version("1.0.0")
    COUNT = 4000

    def _info(self):
        return self.dataset_info_from_configs(
            description="Generated: strings of the embedded Reber grammar, letters apart; in half of them (illegal) "
            "the last letter but one does not repeat the second. Split 70/10/20 at random, stratified by class.",
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=["illegal", "legal"])}
            ),
            supervised_keys=("text", "label"),
        )

    def examples(self):
        rng = np.random.default_rng(1997)
        texts, labels = {}, []
        while len(texts) < self.COUNT:
            inside, state = [], 0
            while state < len(REBER):
                letter, state = REBER[state][rng.integers(len(REBER[state]))]
                inside.append(letter)
            legal = len(texts) % 2
            second = "TP"[rng.integers(2)]
            last = second if legal else {"T": "P", "P": "T"}[second]
            text = " ".join(["B", second, *inside, "E", last, "E"])
            if text not in texts:  # none twice
                texts[text] = None
                labels.append(legal)
        return list(texts), np.array(labels)
