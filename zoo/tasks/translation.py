"""From one text to another."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.batching import padded
from zoo.data.image.files import free_name
from zoo.data.text.inputs import read_lines
from zoo.data.text.parallel_folder import parallel_texts
from zoo.data.text.special_tokens import START
from zoo.data.text.translation import TranslationDataModule
from zoo.decoding.beam_search import Translator
from zoo.errors import UsageError
from zoo.layers.attention import attention_weights
from zoo.metrics.tokens import ExactMatch, TokenAccuracy
from zoo.metrics.translation import bleu
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained, class_ids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("zoo")

BASELINE_CHARACTERS = 10**8  # beyond which no baseline is computed
BATCH = 16  # sources that are decoded side by side
AHEAD = 16 * BATCH  # sources that are looked at before the first translation is given


class Translation(Task):
    metric = "exact_match"
    other_metrics = ("bleu",)
    data_module = TranslationDataModule
    folder = staticmethod(parallel_texts)

    def headline(self, metrics: Mapping[str, float]) -> str:
        """BLEU where it was measured: of sentences hardly one is as the reference has it."""
        return "bleu" if "bleu" in metrics else super().headline(metrics)

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
            "exact_match": exact_match(predictions, references),
            "token_accuracy": float(accuracy.result()),
        }
        if not by_characters(data):
            found |= scored(predictions, references)
        weights = source_attention(network, data, sources[0], predictions[0])
        outputs = {"sources": sources, "predictions": predictions, "attention": weights}
        return Evaluation(found, references, outputs)

    def baselines(self, data: TranslationDataModule) -> dict[str, float]:
        """The source as it is; and the target of the training source that has most runs of three characters in
        common. By BLEU where the network is judged by it."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.neighbors import NearestNeighbors

        (sources, targets), (asked, wanted) = data.texts("train"), data.texts("test")
        if sum(map(len, sources)) > BASELINE_CHARACTERS:
            return {}
        width = min(3, max(map(len, sources)))
        grams = TfidfVectorizer(analyzer="char", ngram_range=(width, width)).fit(sources)
        near = NearestNeighbors(n_neighbors=1).fit(grams.transform(sources))
        rows = near.kneighbors(grams.transform(asked), return_distance=False)[:, 0]
        found = {"copy": asked, "nearest source": [targets[row] for row in rows]}

        def score(predictions: Sequence[str]) -> float:
            measured = None if by_characters(data) else bleu(predictions, wanted)
            return measured[0] if measured else exact_match(predictions, wanted)

        return {name: score(each) for name, each in found.items()}

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
        """The translation of each text, or line of a file, in turn; of nothing, nothing."""
        data: TranslationDataModule = trained.data
        decode = translator(trained.network, data, beams=beams, length_penalty=length_penalty)
        parts = readable_parts(data, list(read_lines(texts)))  # all are looked at before the first is decoded
        sources = [row for rows in parts for row in rows]
        decoded = batches_decoded(sources, data, decode)
        for rows in parts:
            yield " ".join(next(decoded) for _ in rows)

    def predict(self, trained: Trained, texts: Sequence[str], folder: Path | None) -> list[str]:
        """The likeliest translation of each text; in `folder`, where the network looked."""
        lines = []
        sources = [text for text in read_lines(texts) if text.strip()]
        for text, prediction in zip(sources, self.translate(trained, sources, beams=1)):
            lines.append(f"{text}: {prediction}")
            if folder and (weights := source_attention(trained.network, trained.data, text, prediction)):
                folder.mkdir(parents=True, exist_ok=True)
                file = free_name(folder / "translation-attention.png")
                plots.save(plots.attention(*weights), file)
                lines.append(f"  where it looks: {file}")
        return lines


def translator(network: Network, data: TranslationDataModule, **search: Any) -> Translator:
    return Translator(network.model, network.card.name, data.length, **search)


def readable_parts(data: TranslationDataModule, texts: Sequence[str]) -> list[list[np.ndarray]]:
    """The parts of each text. Of several, those that cannot be translated are named and left empty.

    Raises:
        UsageError: where that is all of them.
    """
    found: list[list[np.ndarray]] = []
    for number, text in enumerate(texts, start=1):
        try:
            found.append(data.parts(text) if text.strip() else [])
        except UsageError as error:
            if sum(bool(each.strip()) for each in texts) == 1:
                raise
            log.warning(f"text {number} stays untranslated: {error}")
            found.append([])
    if texts and not any(found):
        raise UsageError("there is nothing to translate; expected texts, one a line")
    return found


def batches_decoded(sources: Sequence[np.ndarray], data: TranslationDataModule, decode: Translator) -> Iterator[str]:
    """The translations of sources (tokens,), in their order.

    They are decoded in batches of one shape, so that the search is compiled once, and sources of similar length side by
    side: a batch takes as many steps as its longest translation.
    """
    size = min(len(sources), BATCH)
    for first in range(0, len(sources), AHEAD):
        some = sources[first : first + AHEAD]
        order = sorted(range(len(some)), key=lambda row: len(some[row]))
        found: dict[int, str] = {}
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            table = padded([some[row] for row in (*rows, *rows[:1] * (size - len(rows)))], data.length)
            found |= zip(rows, map(data.tokenizer.decode, decode(table)))
        yield from (found[row] for row in range(len(some)))


def by_characters(data: TranslationDataModule) -> bool:
    """Whether the texts are no sentences, of which BLEU speaks."""
    return data.settings["tokens"] == "characters"


def exact_match(predictions: Sequence[str], references: Sequence[str]) -> float:
    return float(np.mean([a == b for a, b in zip(predictions, references)]))


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
    start = np.concatenate([[START], target])
    # Two tokens at least, with a padding behind: Keras warns of a softmax over one number.
    inputs = {"source": padded([tokens], max(len(tokens), 2)), "target": padded([start], max(len(start), 2))}
    weights = {name: each for name, each in attention_weights(network.model, inputs).items() if "cross" in name}
    if not weights:
        return None
    name, last = list(weights.items())[-1]
    piece = data.tokenizer.piece
    return name, last[0][:, : len(start), : len(tokens)], [*map(piece, target), "end"], [*map(piece, tokens)]
