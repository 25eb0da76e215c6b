"""The next token of a text, from those before it."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from zoo.baselines import ngram
from zoo.data.text.base import LONG_WORD
from zoo.data.text.corpus import CorpusDataModule
from zoo.data.text.folder import CorpusFolder
from zoo.data.text.inputs import read_texts
from zoo.data.text.special_tokens import PADDING
from zoo.decoding import sampling
from zoo.decoding.base import decoder_of
from zoo.metrics.tokens import Perplexity
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained, class_ids

BASELINE_TOKENS = 4 * 10**6  # beyond which no baseline is computed: minutes, and memory
ORDERS = (2, 5)  # tokens that the counting baselines look at, the predicted one included


class LanguageModelling(Task):
    metric = "perplexity"
    minimize = True
    advice = "a text this short wants more epochs, a smaller network (--option units=, dim=) or more dropout"
    data_module = CorpusDataModule
    folder = CorpusFolder

    def loss(self) -> keras.Loss:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def keras_metrics(self) -> list[keras.Metric]:
        return [Perplexity()]

    def evaluate(self, network: Network, data: CorpusDataModule, split: str) -> Evaluation:
        """The loss is the mean negative log-likelihood of each token after those before it in its window, in nats.

        For the perplexity, an unknown token is one of all those that the vocabulary does not have, as likely as any
        other of them (the adjusted perplexity of J. Ueberla, "Analysing a Simple Language Model", Computer Speech and
        Language 8(2), 1994): a small vocabulary does not look like a good model.
        """
        total, count = 0.0, 0
        for tokens, targets in data.batches(split).as_numpy_iterator():
            logits = network.model.predict_on_batch(tokens)
            total += float(network.loss(targets, logits)) * targets.size
            count += targets.size
        loss = total / count
        cost = loss + data.unknown_share(split) * math.log(data.unknown_kinds)
        found = {"loss": loss, "perplexity": math.exp(cost), "bits": cost / math.log(2)}
        return Evaluation(found | by_unit(data, split, cost * len(data.token_ids(split))))

    def baselines(self, data: CorpusDataModule) -> dict[str, float]:
        """Kneser-Ney over the very tokens that the network learns from and is measured on; and, where all windows are
        things of one kind, how often a token stands at its place.
        """
        train, test = data.token_ids("train"), data.token_ids("test")
        if len(train) > BASELINE_TOKENS:
            return {}
        size = len(data.vocabulary) - (PADDING in data.vocabulary.excluded)  # which cannot come
        counted = {order: ngram.KneserNey(train, order=order, vocabulary_size=size) for order in ORDERS}
        unknown = data.unknown_kinds ** data.unknown_share("test")
        found = {f"Kneser-Ney {order}-gram": model.perplexity(test) * unknown for order, model in counted.items()}
        if data.stride == data.length:
            found["place alone"] = ngram.perplexity_by_place(train, test, data.length, size) * unknown
        return found

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(class_ids, math.log, tolerance=0.5)

    def generate(
        self,
        trained: Trained,
        prompt: str,
        *,
        length: int,
        temperature: float,
        top_k: int = 0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> Iterator[str]:
        """Pieces of text that follow the prompt, as they are drawn."""
        ((_, prompt),) = read_texts([prompt])
        network, vocabulary = trained.network, trained.data.vocabulary
        (tokens,) = trained.data.encode([prompt])
        decoder = decoder_of(network.model, network.card.name)
        settings: dict[str, Any] = dict(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
        settings |= dict(vocabulary_size=len(vocabulary), length=length, excluded=vocabulary.excluded)
        drawn = sampling.generate(decoder, tokens.tolist(), **settings)
        return sampling.until(vocabulary.continued(drawn), stop) if stop else vocabulary.continued(drawn)


def by_unit(data: CorpusDataModule, split: str, nats: float) -> dict[str, float]:
    """What a whole text costs, by its words, characters and bytes: texts cut into other tokens compare by these."""
    text = data.text(split)
    measured = len(data.token_ids(split)) / len(data.vocabulary.encode(text))  # the last window may not be whole
    counts = {"character": len(text), "byte": len(text.encode())}
    cost = {unit: nats / (count * measured) for unit, count in counts.items()}
    found = {f"bits_per_{unit}": each / math.log(2) for unit, each in cost.items()}
    if len(text) < LONG_WORD * (words := len(text.split())):  # a script that puts spaces between words
        found["word_perplexity"] = math.exp(nats / (words * measured))
    return found
