"""A tag for each word of a sentence: parts of speech, names and what they name."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.batching import padded
from zoo.data.text.conll import TaggedTexts
from zoo.data.text.inputs import read_lines
from zoo.data.text.tagged import TaggedTextDataModule
from zoo.errors import UsageError
from zoo.layers.crf import viterbi
from zoo.metrics.spans import are_bio, span_f1
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOTTED = 60  # tags at most
BATCH = 32  # sentences that are tagged side by side
Tags = Sequence[Sequence[str]]  # of each sentence, the tag of each word


class SequenceLabelling(Task):
    metric = "token_accuracy"
    other_metrics = ("span_f1",)
    data_module = TaggedTextDataModule
    folder = TaggedTexts

    def headline(self, metrics: Mapping[str, float]) -> str:
        """F1 of the spans where the tags mark some: most words are outside, and accuracy rewards to find none."""
        return "span_f1" if "span_f1" in metrics else super().headline(metrics)

    def loss(self) -> keras.Loss:
        return losses.TagLikelihood()

    def evaluate(self, network: Network, data: TaggedTextDataModule, split: str) -> Evaluation:
        """Over all words; a tag that training does not have counts as wrong and has no loss."""
        loss, count, found = 0.0, 0, []
        for words, targets in data.batches(split).as_numpy_iterator():
            outputs = network.model.predict_on_batch(words)
            real = int((targets >= 0).sum())
            loss, count = loss + float(network.loss(targets, outputs)) * real, count + real
            found += best_tags(outputs)[words != 0].tolist()
        sentences, tags = data.sentences(split)
        predictions = per_sentence([data.class_names[number] for number in found], sentences)
        known = np.array([word in data.vocabulary.ids for sentence in sentences for word in sentence])
        right = np.array([a == b for a, b in zip(flat(tags), flat(predictions))])
        notes = [f"{right[~known].mean():.1%} of the {(~known).sum():,} unknown words are right"] if any(~known) else []
        return Evaluation(
            {"loss": loss / count if count else math.nan, **scores(tags, predictions, data)},
            tags,
            {"sentences": sentences, "predictions": predictions},
            tuple(notes),
            measured_on=f"{len(found):,} words",
        )

    def baselines(self, data: TaggedTextDataModule) -> dict[str, float]:
        """The commonest tag everywhere; and each word's commonest tag, which no neighbour changes."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for word, tag in zip(*map(flat, data.sentences("train"))):
            counts[word][tag] += 1
        common = sum(counts.values(), Counter()).most_common(1)[0][0]
        of_word = {word: each.most_common(1)[0][0] for word, each in counts.items()}
        sentences, tags = data.sentences("test")
        found = {
            "commonest tag": [[common] * len(words) for words in sentences],
            "word's commonest tag": [[of_word.get(word, common) for word in words] for words in sentences],
        }
        measured = {name: scores(tags, predictions, data) for name, predictions in found.items()}
        return {name: each[self.headline(each)] for name, each in measured.items()}

    def plots(self, data: TaggedTextDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        names = data.class_names
        numbers = {tag: number for number, tag in enumerate(names)}
        pairs = list(zip(flat(evaluation.targets), flat(evaluation.outputs["predictions"])))
        known = np.array([(numbers[tag], numbers[found]) for tag, found in pairs if tag in numbers])
        if len(names) > PLOTTED or not len(known):
            return {"confusion.png": None}
        certain = replace(evaluation, targets=known[:, 0], outputs=np.eye(len(names))[known[:, 1]])
        return {"confusion.png": plots.confusion(data, certain)}

    def tables(self, data: TaggedTextDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        """How well each tag is found; and the mistakes, the commonest first, with a place where each was made."""
        sentences, predictions = evaluation.outputs["sentences"], evaluation.outputs["predictions"]
        pairs = Counter(zip(flat(evaluation.targets), flat(predictions)))
        true, guessed = Counter(flat(evaluation.targets)), Counter(flat(predictions))
        places: dict[tuple[str, str], str] = {}
        for words, tags, found in zip(sentences, evaluation.targets, predictions):
            for place, pair in enumerate(zip(tags, found)):
                places.setdefault(pair, in_context(words, place))
        return {
            "tags.csv": [
                {
                    "tag": tag,
                    "words": true[tag],
                    "precision": f"{pairs[tag, tag] / max(guessed[tag], 1):.4f}",
                    "recall": f"{pairs[tag, tag] / max(true[tag], 1):.4f}",
                }
                for tag in sorted({*true, *data.class_names})
            ],
            "mistakes.csv": [
                {"tag": tag, "prediction": found, "words": count, "for_example": places[tag, found]}
                for (tag, found), count in pairs.most_common()
                if tag != found
            ],
        }

    def sample(self, card: Card, head: str = "") -> Sample:
        """One tag for all words of a sentence, which fits wherever it ends."""

        def targets(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
            return np.repeat(rng.integers(0, shape[-1], (shape[0], 1)), shape[1], axis=1).astype("int32")

        return Sample(targets, math.log, tolerance=0.5)

    def predict(self, trained: Trained, texts: Sequence[str], folder: Path | None) -> list[str]:
        """Each text, or line of a file, as word/tag: cut into words at spaces, as the training data are."""
        data: TaggedTextDataModule = trained.data
        sentences = [words for text in read_lines(texts) if (words := text.split())]
        if not sentences:
            raise UsageError("there is nothing to tag; expected sentences, one a line, with spaces between the words")
        rows = [part for words in sentences for part in data.in_parts(data.word_ids(words))]
        found: list[str] = []
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            table = padded(part, max(map(len, part)))
            numbers = best_tags(trained.network.model.predict_on_batch(table))
            found += [data.class_names[number] for number in numbers[table != 0]]
        return [
            " ".join(f"{word}/{tag}" for word, tag in zip(words, tags))
            for words, tags in zip(sentences, per_sentence(found, sentences))
        ]


def best_tags(outputs: Any) -> np.ndarray:
    """The likeliest tags, (batch, time): of each word by itself, or of the sentence by a conditional random field."""
    if len(outputs.shape) == 3:
        return keras.ops.convert_to_numpy(outputs).argmax(-1)
    return keras.ops.convert_to_numpy(viterbi(keras.ops.convert_to_tensor(outputs)))


def scores(tags: Tags, predictions: Tags, data: TaggedTextDataModule) -> dict[str, float]:
    """Token accuracy; and span F1 where the tags mark spans."""
    accuracy = float(np.mean([a == b for a, b in zip(flat(tags), flat(predictions))]))
    return {"token_accuracy": accuracy} | ({"span_f1": span_f1(tags, predictions)} if are_bio(data.class_names) else {})


def flat(rows: Sequence[Sequence[str]]) -> list[str]:
    return [each for row in rows for each in row]


def per_sentence(tags: Sequence[str], sentences: Sequence[Sequence[str]]) -> list[list[str]]:
    """Tags of one word after another, by sentence."""
    following = iter(tags)
    return [[next(following) for _ in words] for words in sentences]


def in_context(words: Sequence[str], place: int, around: int = 4) -> str:
    """A word in brackets, and those beside it.

    >>> in_context("the bank of kent sold its shares .".split(), 3, around=2)
    'bank of [kent] sold its'
    """
    before, after = words[max(place - around, 0) : place], words[place + 1 : place + 1 + around]
    return " ".join([*before, f"[{words[place]}]", *after])
