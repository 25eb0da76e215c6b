"""Texts: a class for each, or what comes next in them."""

import math

import keras

from zoo.baselines import ngram
from zoo.data.text.corpus import CorpusFeed
from zoo.decoding import sampling
from zoo.metrics.tokens import Perplexity
from zoo.tasks.base import Measured, Network, Task

BASELINE_LIMIT = 2 * 10**8  # characters or tokens beyond which no baseline is computed: minutes, and memory
GRAMS = (2, 5)  # tokens that the counting baselines look at, the predicted one included


def next_token(network: Network, feed: CorpusFeed, split: str) -> Measured:
    """The mean negative log-likelihood of each token after those before it in its window, in nats."""
    total, count = 0.0, 0
    for tokens, targets in feed.batches(split).as_numpy_iterator():
        logits = network.model.predict_on_batch(tokens)
        total += float(network.criterion(targets, logits)) * targets.size
        count += targets.size
    loss = total / count
    return Measured({"loss": loss, "perplexity": math.exp(loss), "bits": loss / math.log(2)})


def counting_baselines(feed: CorpusFeed) -> dict[str, float]:
    """Kneser-Ney over the very tokens that the network learns from and is measured on."""
    train, test = feed.numbers("train"), feed.numbers("test")
    if len(train) > BASELINE_LIMIT // 50:
        return {}
    counted = {
        f"Kneser-Ney {order}-gram": ngram.KneserNey(train, order=order, vocabulary_size=len(feed.vocabulary) - 1)
        for order in GRAMS  # one token less: padding cannot come
    }
    return {name: model.perplexity(test) for name, model in counted.items()}


def generate(network: Network, feed: CorpusFeed, prompt: str, *, length: int, temperature, top_k, seed):
    """Pieces of text that follow the prompt, as they are drawn."""
    (tokens,) = feed.encode([prompt])
    steps = sampling.stepper(network.model, network.card.family)
    size, settings = len(feed.vocabulary), dict(temperature=temperature, top_k=top_k, seed=seed)
    drawn = sampling.write(steps, tokens.tolist(), vocabulary_size=size, length=length, **settings)
    return (feed.vocabulary.joint + feed.vocabulary.piece(token) for token in drawn)


TASKS = {
    "language_modelling": Task(
        metric="perplexity",
        minimise=True,
        feed=CorpusFeed,
        loss=lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras_metrics=lambda: [Perplexity()],
        measure=next_token,
        baselines=counting_baselines,
        generate=generate,
    ),
}
