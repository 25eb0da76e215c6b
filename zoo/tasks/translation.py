"""From one text to another."""

import logging
from pathlib import Path

import numpy as np

from zoo import losses, plots
from zoo.data.text.special_tokens import START
from zoo.data.text.translation import TranslationFeed
from zoo.decoding.beam_search import Translator
from zoo.layers.attention import attention_maps
from zoo.metrics.tokens import ExactMatch, TokenAccuracy
from zoo.metrics.translation import bleu
from zoo.tasks.base import Measured, Network, Task
from zoo.tasks.image_classification import free_name

log = logging.getLogger("zoo")

BASELINE_LIMIT = 10**8  # characters beyond which no baseline is computed
BATCH = 64  # texts translated at once


def translator(network: Network, feed: TranslationFeed, **search) -> Translator:
    return Translator(network.model, network.card.family, feed.length, **search)


def translate(network: Network, feed: TranslationFeed, texts, *, beams=4, length_penalty=0.6):
    """The translation of each text, in turn."""
    say = translator(network, feed, beams=beams, penalty=length_penalty)
    sources = feed.encode(list(texts))  # all are looked at before the first is said
    for source in padded(sources, feed.length):
        (row,) = say(source[None])
        yield feed.tokenizer.decode(row)


def padded(sources, length):
    """To one width, so that the search is compiled once."""
    return np.pad(sources, [(0, 0), (0, length - sources.shape[1])])


def measured(network: Network, feed: TranslationFeed, split: str) -> Measured:
    """The loss and the share of right tokens after right beginnings, and what greedy decoding makes of each source."""
    loss, count, accuracy = 0.0, 0, TokenAccuracy()
    say, said = translator(network, feed), []
    for inputs, targets in feed.batches(split).as_numpy_iterator():
        logits = network.model.predict_on_batch(inputs)
        real = int((targets != 0).sum())
        loss, count = loss + float(network.criterion(targets, logits)) * real, count + real
        accuracy.update_state(targets, logits)
        said += [feed.tokenizer.decode(row) for row in say(inputs["source"])]
    sources, references = feed.texts(split)
    found = {
        "loss": loss / count,
        "exact_match": float(np.mean([a == b for a, b in zip(said, references)])),
        "token_accuracy": float(accuracy.result()),
    }
    if feed.settings["tokens"] != "characters":
        found |= bleu(said, references)
    shown = looks(network, feed, sources[0], said[0])
    return Measured(found, references, {"sources": sources, "said": said, "looks": shown})


def looks(network: Network, feed: TranslationFeed, source: str, said: str):
    """Where the decoder looks in the source while it says what it says: (name, weights, its tokens, the source's)."""
    (target,) = feed.tokenizer.encode([said])
    (tokens,) = feed.tokenizer.encode([source])
    tokens, target = tokens[: feed.length], target[: feed.length - 1]
    inputs = {"source": tokens[None], "target": np.concatenate([[START], target])[None].astype("int32")}
    maps = {name: each for name, each in attention_maps(network.model, inputs).items() if "cross" in name}
    if not maps:
        return None
    name, weights = list(maps.items())[-1]  # the last block's
    piece = feed.tokenizer.piece
    return name, weights[0], [*map(piece, target), "end"], [*map(piece, tokens)]


def baselines(feed: TranslationFeed) -> dict[str, float]:
    """The source as it is; and the target of the training source that has most runs of three characters in common."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neighbors import NearestNeighbors

    (sources, targets), (asked, wanted) = feed.texts("train"), feed.texts("test")
    if sum(map(len, sources)) > BASELINE_LIMIT:
        return {}
    grams = TfidfVectorizer(analyzer="char", ngram_range=(3, 3)).fit(sources)
    near = NearestNeighbors(n_neighbors=1).fit(grams.transform(sources))
    rows = near.kneighbors(grams.transform(asked), return_distance=False)[:, 0]
    return {
        "copy": float(np.mean([a == b for a, b in zip(asked, wanted)])),
        "nearest source": float(np.mean([targets[row] == b for row, b in zip(rows, wanted)])),
    }


def translations(feed: TranslationFeed, found: Measured) -> list[dict[str, str]]:
    """Source, what is right and what was said, a row each."""
    rows = zip(found.outputs["sources"], found.truth, found.outputs["said"])
    return [{"source": a, "reference": b, "said": c, "right": "yes" if b == c else "no"} for a, b, c in rows]


def looking(feed: TranslationFeed, found: Measured):
    """The picture of `looks` for the first test source."""
    return plots.attention(*found.outputs["looks"]) if found.outputs["looks"] else None


def answer(network: Network, feed: TranslationFeed, texts, folder: Path | None) -> list[str]:
    """The likeliest translation of each text; in `folder`, where the network looked."""
    lines = []
    for text, said in zip(texts, translate(network, feed, texts, beams=1)):
        lines.append(f"{text}: {said}")
        shown = looks(network, feed, text, said) if folder is not None else None
        if shown:
            folder.mkdir(parents=True, exist_ok=True)
            file = free_name(folder, "translation", "attention")
            plots.save(plots.attention(*shown), file)
            lines.append(f"  where it looks: {file}")
    return lines


TASKS = {
    "translation": Task(
        metric="exact_match",
        also=("bleu",),
        minimise=False,
        feed=TranslationFeed,
        loss=losses.MaskedCrossentropy,
        keras_metrics=lambda: [ExactMatch(), TokenAccuracy()],
        measure=measured,
        baselines=baselines,
        pictures={"attention.png": looking},
        tables={"translations.csv": translations},
        answer=answer,
        translate=translate,
    ),
}
