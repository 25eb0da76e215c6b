"""A class for each text."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.base import DataModule
from zoo.data.text.base import shortened
from zoo.data.text.inputs import read_texts
from zoo.data.text.labelled import LabelledTextDataModule
from zoo.data.text.table import labelled_texts
from zoo.errors import UsageError
from zoo.losses import WeightedCrossentropy
from zoo.metrics import classification
from zoo.tasks._classification import Classification, likeliest
from zoo.tasks._predictions import judged
from zoo.tasks._rejection import Rejector, verdicts
from zoo.tasks.base import Evaluation, Network, Trained

log = logging.getLogger("zoo")

MISSED = 0.1  # recall
BASELINE_CHARACTERS = 2 * 10**8  # beyond which no baseline is computed: minutes, and memory


class TextClassification(Classification):
    data_module = LabelledTextDataModule
    folder = staticmethod(labelled_texts)

    def check_network(self, network: Network, data: DataModule) -> None:
        """Raise for a network that reads more than one text."""
        super().check_network(network, data)
        if len(network.model.inputs) > 1:
            names = ", ".join(each.name for each in network.model.inputs)
            raise UsageError(
                f"{network.card.name} has the inputs {names}; {data.source.name} has one text for each class: leave "
                "the others out (segments=False)"
            )

    def trainer(self, network: Network, data: LabelledTextDataModule) -> tuple[Network, DataModule]:
        """The network itself; where the recipe asks for it, under a loss in which each class counts alike."""
        weights = data.class_weights
        if weights is None:
            return network, data
        return replace(network, losses=dict.fromkeys(network.losses, WeightedCrossentropy(weights.tolist()))), data

    def tables(self, data: LabelledTextDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        """Those of all classifications; a class that is never found is said: the accuracy does not tell."""
        found = super().tables(data, evaluation)
        for row in found["classes.csv"]:
            if row["examples"] and (recall := float(row["recall"])) < MISSED:
                log.warning(
                    f"of the {row['examples']} test texts of {row['class']} the network finds {recall:.0%}, "
                    "whatever its accuracy: --option class_weights=balanced lets each class count alike"
                )
        return found

    def baselines(self, data: LabelledTextDataModule) -> dict[str, float]:
        """Always the commonest class; and logistic regression on which words and pairs of words there are."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        (texts, labels), (texts_test, labels_test) = data.texts("train"), data.texts("test")
        if sum(map(len, texts)) > BASELINE_CHARACTERS:
            return {}
        token = r"(?u)\b\w+\b" if data.level in ("words", "pretrained") else r"(?us)."
        grams = TfidfVectorizer(token_pattern=token, ngram_range=(1, 2), sublinear_tf=True)
        linear = make_pipeline(grams, LogisticRegression(C=10.0, max_iter=1000)).fit(texts, labels)
        return {
            "chance": float(np.mean(labels_test == np.bincount(labels).argmax())),
            "TF-IDF + logistic regression": float(linear.score(texts_test, labels_test)),
        }

    def predict(
        self, trained: Trained, texts: Sequence[str], folder: Path | None, rejector: Rejector | None = None
    ) -> list[str]:
        """A line for each text, or file of one: the likeliest classes."""
        called, found = zip(*read_texts(texts))
        inputs = trained.data.encode(found)
        logits = trained.network.predict(inputs)
        names = trained.data.class_names
        named = [likeliest(row, names, most=3)[1] for row in classification.probabilities(logits)]
        told = map(judged, named, verdicts(rejector, inputs, logits))
        return [f"{shortened(name, 50)}: {line}" for name, line in zip(called, told)]
