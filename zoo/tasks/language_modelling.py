"""The next token of a text, from those before it."""

import math
from collections.abc import Iterator
from typing import Any

import keras

from zoo.baselines import ngram
from zoo.data.text.corpus import CorpusDataModule
from zoo.data.text.folder import CorpusFolder
from zoo.decoding import sampling
from zoo.decoding.base import Compiled, decoder_of
from zoo.metrics.tokens import Perplexity
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained, class_ids

BASELINE_TOKENS = 4 * 10**6  # beyond which no baseline is computed: minutes, and memory
ORDERS = (2, 5)  # tokens that the counting baselines look at, the predicted one included


class LanguageModelling(Task):
    metric = "perplexity"
    minimize = True
    data_module = CorpusDataModule
    folder = CorpusFolder

    def loss(self) -> keras.Loss:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def keras_metrics(self) -> list[keras.Metric]:
        return [Perplexity()]

    def evaluate(self, network: Network, data: CorpusDataModule, split: str) -> Evaluation:
        """The mean negative log-likelihood of each token after those before it in its window, in nats."""
        total, count = 0.0, 0
        for tokens, targets in data.batches(split).as_numpy_iterator():
            logits = network.model.predict_on_batch(tokens)
            total += float(network.loss(targets, logits)) * targets.size
            count += targets.size
        loss = total / count
        return Evaluation({"loss": loss, "perplexity": math.exp(loss), "bits": loss / math.log(2)})

    def baselines(self, data: CorpusDataModule) -> dict[str, float]:
        """Kneser-Ney over the very tokens that the network learns from and is measured on."""
        train, test = data.token_ids("train"), data.token_ids("test")
        if len(train) > BASELINE_TOKENS:
            return {}
        size = len(data.vocabulary) - 1  # padding cannot come
        counted = {order: ngram.KneserNey(train, order=order, vocabulary_size=size) for order in ORDERS}
        return {f"Kneser-Ney {order}-gram": model.perplexity(test) for order, model in counted.items()}

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(class_ids, math.log, tolerance=0.5)

    def generate(
        self, trained: Trained, prompt: str, *, length: int, temperature: float, top_k: int, seed: int
    ) -> Iterator[str]:
        """Pieces of text that follow the prompt, as they are drawn."""
        network, vocabulary = trained.network, trained.data.vocabulary
        (tokens,) = trained.data.encode([prompt])
        decoder = Compiled(decoder_of(network.model, network.card.name))
        settings: dict[str, Any] = dict(temperature=temperature, top_k=top_k, seed=seed)
        drawn = sampling.generate(decoder, tokens.tolist(), vocabulary_size=len(vocabulary), length=length, **settings)
        return (vocabulary.joint + vocabulary.piece(token) for token in drawn)
