"""Texts: a class for each, or what comes next in them."""

import math
from functools import partial

import keras
import numpy as np

from zoo import figures, generation, ngrams
from zoo.data.text import CorpusFeed, LabelledTextFeed, shortened
from zoo.metrics import Perplexity
from zoo.tasks.arrays import by_class, classified, measured
from zoo.tasks.task import Measured, Network, Task

BASELINE_LIMIT = 2 * 10**8  # characters or tokens beyond which no baseline is computed: minutes, and memory
GRAMS = (2, 5)  # tokens that the counting baselines look at, the predicted one included


def classification_baselines(feed: LabelledTextFeed) -> dict[str, float]:
    """Always the commonest class; and logistic regression on which words and pairs of words there are, how often."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    (texts, labels), (texts_test, labels_test) = feed.texts("train"), feed.texts("test")
    if sum(map(len, texts)) > BASELINE_LIMIT:
        return {}
    words = r"(?u)\b\w+\b" if feed.level == "words" else r"(?us)."
    grams = TfidfVectorizer(token_pattern=words, ngram_range=(1, 2), sublinear_tf=True)
    linear = make_pipeline(grams, LogisticRegression(C=10.0, max_iter=1000)).fit(texts, labels)
    return {
        "chance": float(np.mean(labels_test == np.bincount(labels).argmax())),
        "TF-IDF + logistic regression": float(linear.score(texts_test, labels_test)),
    }


def classify(network: Network, feed: LabelledTextFeed, texts, folder) -> list[str]:
    """A line for each text: the likeliest classes."""
    lines = []
    chances = figures.probabilities(network.predict(feed.encode(texts)))
    for text, row in zip(texts, chances):
        best = np.argsort(-row)[:3]
        named = ", ".join(f"{feed.class_names[each]} {row[each]:.1%}" for each in best)
        lines.append(f"{shortened(text, 50)}: {named}")
    return lines


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
        f"Kneser-Ney {order}-gram": ngrams.KneserNey(train, order=order, vocabulary_size=len(feed.vocabulary) - 1)
        for order in GRAMS  # one token less: padding cannot come
    }
    return {name: model.perplexity(test) for name, model in counted.items()}


def generate(network: Network, feed: CorpusFeed, prompt: str, *, length: int, temperature, top_k, seed):
    """Pieces of text that follow the prompt, as they are drawn."""
    (tokens,) = feed.encode([prompt])
    steps = generation.stepper(network.model, network.card.family)
    size, settings = len(feed.vocabulary), dict(temperature=temperature, top_k=top_k, seed=seed)
    drawn = generation.write(steps, tokens.tolist(), vocabulary_size=size, length=length, **settings)
    return (feed.vocabulary.joint + feed.vocabulary.piece(token) for token in drawn)


TASKS = {
    "text_classification": Task(
        metric="accuracy",
        minimise=False,
        feed=LabelledTextFeed,
        loss=lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras_metrics=lambda: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        measure=partial(measured, classified),
        baselines=classification_baselines,
        pictures={"confusion.png": figures.confusion, "calibration.png": figures.calibration},
        tables={"classes.csv": by_class},
        answer=classify,
    ),
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
