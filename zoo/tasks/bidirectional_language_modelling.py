"""The next word of a text from those before it, and each word from those after it."""

import math

import keras

from zoo.baselines import ngram
from zoo.data.text.bidirectional_corpus import BidirectionalCorpus
from zoo.data.text.folder import CorpusFolder
from zoo.metrics.tokens import Perplexity
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, class_ids
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

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(class_ids, math.log, tolerance=0.5)
