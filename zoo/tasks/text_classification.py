"""zoo.tasks.text_classification."""



from functools import partial

import numpy as np

from zoo import plots
from zoo.data.text.base import shortened
from zoo.data.text.labelled import LabelledTextFeed
from zoo.layers.normalization import keras
from zoo.metrics import classification
from zoo.metrics.classification import classified
from zoo.tasks.base import Network, Task
from zoo.tasks.image_classification import by_class, measured
from zoo.tasks.language_modelling import BASELINE_LIMIT


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
    chances = classification.probabilities(network.predict(feed.encode(texts)))
    for text, row in zip(texts, chances):
        best = np.argsort(-row)[:3]
        named = ", ".join(f"{feed.class_names[each]} {row[each]:.1%}" for each in best)
        lines.append(f"{shortened(text, 50)}: {named}")
    return lines


TASKS = {
    "text_classification": Task(
        metric="accuracy",
        minimise=False,
        feed=LabelledTextFeed,
        loss=lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras_metrics=lambda: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        measure=partial(measured, classified),
        baselines=classification_baselines,
        pictures={"confusion.png": plots.confusion, "calibration.png": plots.calibration},
        tables={"classes.csv": by_class},
        answer=classify,
    ),
}
