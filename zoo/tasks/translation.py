"""From one text to another."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.image.files import free_name
from zoo.data.text.parallel_folder import ParallelFolder
from zoo.data.text.special_tokens import START
from zoo.data.text.translation import TranslationDataModule
from zoo.decoding.beam_search import Translator
from zoo.layers.attention import attention_weights
from zoo.metrics.tokens import ExactMatch, TokenAccuracy
from zoo.metrics.translation import bleu
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained, class_ids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("zoo")

BASELINE_CHARACTERS = 10**8  # beyond which no baseline is computed


class Translation(Task):
    metric = "exact_match"
    other_metrics = ("bleu",)
    data_module = TranslationDataModule
    folder = ParallelFolder

    def loss(self) -> keras.Loss:
        return losses.MaskedCrossentropy()

    def keras_metrics(self) -> list[keras.Metric]:
        return [ExactMatch(), TokenAccuracy()]

    def evaluate(self, network: Network, data: TranslationDataModule, split: str) -> Evaluation:
        """Loss and token accuracy after correct beginnings, and what greedy decoding makes of each source."""
        loss, count, accuracy = 0.0, 0, TokenAccuracy()
        decode, predictions = translator(network, data), []
        for inputs, targets in data.batches(split).as_numpy_iterator():
            logits = network.model.predict_on_batch(inputs)
            real = int((targets != 0).sum())
            loss, count = loss + float(network.loss(targets, logits)) * real, count + real
            accuracy.update_state(targets, logits)
            predictions += [data.tokenizer.decode(row) for row in decode(inputs["source"])]
        sources, references = data.texts(split)
        found = {
            "loss": loss / count,
            "exact_match": float(np.mean([a == b for a, b in zip(predictions, references)])),
            "token_accuracy": float(accuracy.result()),
        }
        if data.settings["tokens"] != "characters":
            found |= scored(predictions, references)
        weights = source_attention(network, data, sources[0], predictions[0])
        outputs = {"sources": sources, "predictions": predictions, "attention": weights}
        return Evaluation(found, references, outputs)

    def baselines(self, data: TranslationDataModule) -> dict[str, float]:
        """The source as it is; and the target of the training source that has most runs of three characters in
        common."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.neighbors import NearestNeighbors

        (sources, targets), (asked, wanted) = data.texts("train"), data.texts("test")
        if sum(map(len, sources)) > BASELINE_CHARACTERS:
            return {}
        grams = TfidfVectorizer(analyzer="char", ngram_range=(3, 3)).fit(sources)
        near = NearestNeighbors(n_neighbors=1).fit(grams.transform(sources))
        rows = near.kneighbors(grams.transform(asked), return_distance=False)[:, 0]
        return {
            "copy": float(np.mean([a == b for a, b in zip(asked, wanted)])),
            "nearest source": float(np.mean([targets[row] == b for row, b in zip(rows, wanted)])),
        }

    def plots(self, data: TranslationDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        weights = evaluation.outputs["attention"]
        return {"attention.png": plots.attention(*weights) if weights else None}

    def tables(self, data: TranslationDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        """Source, reference and prediction, a row each."""
        rows = zip(evaluation.outputs["sources"], evaluation.targets, evaluation.outputs["predictions"])
        return {
            "translations.csv": [
                {"source": a, "reference": b, "prediction": c, "correct": "yes" if b == c else "no"} for a, b, c in rows
            ]
        }

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(class_ids, math.log, tolerance=1.0)

    def translate(
        self, trained: Trained, texts: Sequence[str], *, beams: int = 4, length_penalty: float = 0.6
    ) -> Iterator[str]:
        """The translation of each text, in turn."""
        data: TranslationDataModule = trained.data
        decode = translator(trained.network, data, beams=beams, length_penalty=length_penalty)
        sources = data.encode(list(texts))  # all are looked at before the first is decoded
        for source in padded(sources, data.length):
            (row,) = decode(source[None])
            yield data.tokenizer.decode(row)

    def predict(self, trained: Trained, texts: Sequence[str], folder: Path | None) -> list[str]:
        """The likeliest translation of each text; in `folder`, where the network looked."""
        lines = []
        for text, prediction in zip(texts, self.translate(trained, texts, beams=1)):
            lines.append(f"{text}: {prediction}")
            if folder and (weights := source_attention(trained.network, trained.data, text, prediction)):
                folder.mkdir(parents=True, exist_ok=True)
                file = free_name(folder / "translation-attention.png")
                plots.save(plots.attention(*weights), file)
                lines.append(f"  where it looks: {file}")
        return lines


def translator(network: Network, data: TranslationDataModule, **search: Any) -> Translator:
    return Translator(network.model, network.card.name, data.length, **search)


def padded(sources: np.ndarray, length: int) -> np.ndarray:
    """To one width, so that the search is compiled once."""
    return np.pad(sources, [(0, 0), (0, length - sources.shape[1])])


def scored(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    found = bleu(predictions, references)
    if found is None:
        log.info("no BLEU: for it, pip install sacrebleu")
        return {}
    score, signature = found
    log.info(f"BLEU {score:.2f}; {signature}")
    return {"bleu": score}


def source_attention(
    network: Network, data: TranslationDataModule, source: str, prediction: str
) -> tuple[str, np.ndarray, list[str], list[str]] | None:
    """Where the decoder looks in the source while it writes the prediction.

    Returns:
        (name of the last layer of cross-attention, weights (heads, T, S), tokens of the prediction, of the source), or
        None where there is no such layer.
    """
    (target,) = data.tokenizer.encode([prediction])
    (tokens,) = data.tokenizer.encode([source])
    tokens, target = tokens[: data.length], target[: data.length - 1]
    inputs = {"source": tokens[None], "target": np.concatenate([[START], target])[None].astype("int32")}
    weights = {name: each for name, each in attention_weights(network.model, inputs).items() if "cross" in name}
    if not weights:
        return None
    name, last = list(weights.items())[-1]
    piece = data.tokenizer.piece
    return name, last[0], [*map(piece, target), "end"], [*map(piece, tokens)]
