"""The next word of a text from those before it, and each word from those after it."""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from scipy.special import log_softmax, softmax

from zoo.baselines import ngram
from zoo.data.text.bidirectional_corpus import BidirectionalCorpus
from zoo.data.text.folder import CorpusFolder
from zoo.data.text.inputs import read_texts
from zoo.data.text.special_tokens import UNKNOWN
from zoo.metrics.tokens import Perplexity
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained, class_ids
from zoo.tasks.language_modelling import BASELINE_TOKENS, ORDERS


class BidirectionalLanguageModelling(Task):
    metric = "perplexity"
    minimize = True
    advice = "a text this short wants more epochs, a smaller network (--option dim=) or more dropout"
    data_module = BidirectionalCorpus
    folder = CorpusFolder

    def loss(self) -> keras.Loss:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def keras_metrics(self) -> list[keras.Metric]:
        return [Perplexity()]

    def evaluate(self, network: Network, data: BidirectionalCorpus, split: str) -> Evaluation:
        """The perplexity of both directions is e to the mean of their losses (M. Peters et al. 2018, section 3.4).

        Unknown words count as in `zoo.tasks.language_modelling`.
        """
        total, count = dict.fromkeys(network.heads, 0.0), 0
        for letters, targets in data.batches(split).as_numpy_iterator():
            outputs = network.model.predict_on_batch(letters)
            for way, tokens in targets.items():
                total[way] += float(network.losses[way](tokens, outputs[way])) * tokens.size
            count += targets["forward"].size
        losses = {way: each / count for way, each in total.items()}
        unknown = data.unknown_share(split) * math.log(data.unknown_kinds)
        loss = sum(losses.values()) / len(losses)
        both = {f"{way}_perplexity": math.exp(each + unknown) for way, each in losses.items()}
        return Evaluation({"loss": loss, "perplexity": math.exp(loss + unknown), **both})

    def baselines(self, data: BidirectionalCorpus) -> dict[str, float]:
        """Kneser-Ney on the same words, from the left and from the right, and the geometric mean of both."""
        train, test = data.token_ids("train"), data.token_ids("test")
        if len(train) > BASELINE_TOKENS:
            return {}
        size = len(data.vocabulary) - 1  # padding cannot come
        unknown, found = data.unknown_kinds ** data.unknown_share("test"), {}
        for order in ORDERS:
            ways = (
                ngram.KneserNey(each, order=order, vocabulary_size=size).perplexity(text)
                for each, text in ((train, test), (train[::-1], test[::-1]))
            )
            found[f"Kneser-Ney {order}-gram"] = math.sqrt(math.prod(ways)) * unknown
        return found

    def predict(self, trained: Trained, inputs: Sequence[str], folder: Path | None) -> list[str]:
        """For each text its words, a line each, and what the words before and behind would put in its place."""
        lines, data = [], trained.data
        for called, text in read_texts(inputs):
            letters, words = data.encode([text]), data.words(text)
            lines.append(f"{called}:")
            for word, chances in zip(words, expected(trained.network.model.predict_on_batch(letters))):
                best = np.argsort(-chances)[:3]
                likely = ", ".join(f"{data.vocabulary.piece(int(each))} {chances[each]:.2f}" for each in best)
                lines.append(f"  {word}: {likely}")
        return lines

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(class_ids, math.log, tolerance=0.5)


def expected(outputs: dict[str, np.ndarray]) -> np.ndarray:
    """How likely each word is at each place of a text by what both directions say of it, (words, vocabulary).

    The product of both probabilities, as of two witnesses who know nothing of each other; at the ends there is one.
    Nothing and the unknown are left out.

    Args:
        outputs: of one text, ``{"forward", "backward"}``: (1, words, vocabulary) logits of the next word and of the one
            before.
    """
    forward, backward = (log_softmax(outputs[way][0].astype("float64"), axis=-1) for way in ("forward", "backward"))
    scores = np.zeros_like(forward)
    scores[1:] += forward[:-1]
    scores[:-1] += backward[1:]
    scores[:, : UNKNOWN + 1] = -np.inf
    return softmax(scores, axis=-1)
