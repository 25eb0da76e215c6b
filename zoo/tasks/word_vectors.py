"""Word vectors: judged by the analogies they solve and by what people find alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.base import DataModule
from zoo.data.builtin import tiny_english
from zoo.data.text.files import TextFiles
from zoo.data.text.skipgram_blocks import SkipGramBlocks
from zoo.data.text.word_vectors import WordVectorDataModule
from zoo.errors import UsageError
from zoo.metrics.word_vectors import WordVectors, known_judgements, read_judgement, vectors_of
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained, class_ids
from zoo.trainers.word2vec import BlockTrainer, blocks_per_step, learning_rate_multipliers
from zoo.trainers.word2vec_on_device import DeviceBlocks, DeviceCorpus, OnDeviceTrainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLANTED = {"tiny_english": tiny_english.QUESTIONS}  # data sets that know their own analogies
MAX_TOKENS_ON_DEVICE = 20_000_000  # of the training text, ends of sentences among them; a longer one is streamed
MAX_FACTORED_WORDS = 3_000  # beyond which no matrix is factored for comparison: it takes minutes
COOCCURRENCE_COUNTS = np.arange(1, 100)  # for the sample of GloVe


class WordVectorsTask(Task):
    metric = "analogies"
    data_module = WordVectorDataModule
    folder = TextFiles
    takes_question_files = True
    formats: ClassVar[Mapping[str, Callable[[Trained, Path], Path]]] = {  # of the vectors alone
        "word2vec": lambda asked, path: vectors_in(asked.network, asked.data).save_word2vec(path),
        "word2vec-binary": lambda asked, path: vectors_in(asked.network, asked.data).save_word2vec(path, binary=True),
        "projector": lambda asked, path: vectors_in(asked.network, asked.data).save_projector(path),
    }

    def loss(self) -> keras.Loss:
        return losses.NegativeSampling()

    def trainer(self, network: Network, data: WordVectorDataModule) -> tuple[Network, DataModule]:
        """The network itself, or a trainer by blocks where the recipe asks for them."""
        if not data.settings.block:
            return network, data
        if data.inputs != ("centre", "contexts"):
            raise UsageError(
                f"block is {data.settings.block}; {network.card.name} is trained by pairs: leave it out (block=0)"
            )
        model, blocks = block_trainer(network.model, data)
        return replace(network, model=model), blocks

    def evaluate(self, network: Network, data: WordVectorDataModule, split: str) -> Evaluation:
        """The loss on held-out text; the fraction of analogies solved; how far similarities agree with people's."""
        vectors, measured_on = vectors_in(network, data), ""
        metrics, notes = {"analogies": float("nan"), "loss": held_out_loss(network, data, split)}, []
        for name, questions in judgements(data, data.files).items():
            if isinstance(questions, list):
                score = vectors.similarity(questions)
                notes.append(f"{name} (Spearman's correlation): {score}")
            else:
                sections = vectors.analogies(questions)
                score = sections.pop("")
                measured_on = f"{score.known:,} of {score.asked:,} questions" if name == self.metric else measured_on
                notes.append(f"{name} (fraction correct): {score}")
                notes += [f"  {section}: {each}" for section, each in sections.items() if each.known]
            metrics[name], metrics[f"{name}_coverage"] = score.value, score.known / max(score.asked, 1)
        for word in vectors.words[len(vectors.words) // 20 :: max(1, len(vectors.words) // 5)][:4]:
            notes.append(f"nearest to {word}: " + ", ".join(other for other, _ in vectors.neighbours(word, 6)))
        return Evaluation(metrics, None, vectors, tuple(notes), measured_on)

    def baselines(self, data: WordVectorDataModule) -> dict[str, float]:
        """A word at random; and vectors by linear algebra alone: counts of meetings, compared with chance, factored."""
        questions = judgements(data).get("analogies")
        if not questions:
            return {}
        found = {"chance": 1.0 / (len(data.vocabulary) - 1)}
        if len(data.vocabulary) <= MAX_FACTORED_WORDS:
            vectors = WordVectors(data.vocabulary.words[1:], factored(data)[1:])
            found["factored counts"] = vectors.analogies(questions)[""].value
        return found

    def plots(self, data: WordVectorDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        """The planted pairs, or else the commonest words, on the two directions in which they differ most."""
        vectors = evaluation.outputs
        planted = PLANTED.get(data.source.name.partition(":")[0])
        pairs = sorted({(a, b) for rows in planted.values() for a, b, *_ in rows}) if planted else []
        pairs = [pair for pair in pairs if set(pair) <= vectors.ids.keys()]
        return {"map.png": plots.word_map(vectors, pairs)}

    def sample(self, card: Card, head: str = "") -> Sample:
        if card.loss == "next_word":
            return Sample(class_ids, math.log, tolerance=1.0)
        if card.loss == "glove":
            return Sample(
                lambda rng, shape: rng.choice(COOCCURRENCE_COUNTS, shape).astype("float32"),
                lambda _: float(np.mean((COOCCURRENCE_COUNTS / 100) ** 0.75 * np.log(COOCCURRENCE_COUNTS) ** 2)),
                tolerance=4.0,  # of 32 drawn counts
            )
        return Sample(  # one true word and drawn ones: a logistic loss for each
            lambda rng, shape: rng.integers(0, 2, shape).astype("int32"),
            lambda candidates: candidates * math.log(2),
            tolerance=0.05,
        )

    def predict(self, trained: Trained, inputs: Sequence[str], folder: Path | None) -> list[str]:
        """A word: its neighbours. "king - man + woman": the nearest to that sum."""
        vectors, lines = vectors_in(trained.network, trained.data), []
        for text in inputs:
            terms = signed_words(text.lower() if trained.data.settings.tokens == "words" else text)
            direction = sum(sign * vectors.directions[vectors.id(word)] for sign, word in terms)
            nearest = vectors.nearest(direction, [word for _, word in terms], 10)
            lines.append(f"{text}: " + ", ".join(f"{word} {cosine:.2f}" for word, cosine in nearest))
        return lines


def vectors_in(network: Network, data: WordVectorDataModule) -> WordVectors:
    """The vectors of a network, by the words of its vocabulary."""
    return WordVectors(data.vocabulary.words[1:], vectors_of(network.model)[1:])


def block_trainer(model: keras.Model, data: WordVectorDataModule) -> tuple[BlockTrainer, SkipGramBlocks]:
    """A trainer by blocks and its batches: of a text on the device, or of a longer one that is streamed."""
    settings, recipe = data.settings, data.recipe
    step = blocks_per_step(recipe.batch_size, settings.block)
    multipliers = learning_rate_multipliers(
        data.word_probabilities,
        data.negative_sampler.probabilities,
        learning_rate=recipe.learning_rate,
        words=step * settings.block,
        window=settings.window,
        negatives=settings.negatives,
    )
    options: dict[str, Any] = dict(negatives=settings.negatives, learning_rate_multipliers=multipliers)
    if len(data.token_ids("train")) > MAX_TOKENS_ON_DEVICE:
        return BlockTrainer(model, **options), SkipGramBlocks(data, step)
    corpus = DeviceCorpus(
        data.token_ids("train"),
        data.keep_probabilities,
        data.negative_sampler,
        block=settings.block,
        negatives=settings.negatives_per_block,
        window=settings.window,
        seed=recipe.seed,
    )
    return OnDeviceTrainer(model, corpus, blocks_per_step=step, **options), DeviceBlocks(data, step, corpus)


def judgements(data: WordVectorDataModule, files: Sequence[str] = ()) -> dict[str, Any]:
    """Name -> questions: those that the data set knows itself, else the usual ones; and those in files."""
    own = PLANTED.get(data.source.name.partition(":")[0])
    usual: dict[str, Any] = (
        {"analogies": own} if own else {name: read_judgement(path) for name, path in known_judgements().items()}
    )
    added: dict[str, Any] = {}
    for path in files:
        name = Path(path).stem
        if name in usual | added or name == "loss":
            raise UsageError(f"{path} would be measured as {name!r}, which there is already; give it another name")
        added[name] = read_judgement(path)
    return usual | added


def held_out_loss(network: Network, data: WordVectorDataModule, split: str) -> float:
    """The mean over examples that are the same every time."""
    total, count = 0.0, 0
    for x, y in data.batches(split).as_numpy_iterator():
        total += len(y) * float(network.loss(y, network.model.predict_on_batch(x)))
        count += len(y)
    return total / max(count, 1)


def factored(data: WordVectorDataModule, dimension: int = 50) -> np.ndarray:
    """Positive pointwise mutual information, factored (Levy, Goldberg & Dagan 2015): U sqrt(S), (words, dimension)."""
    size = len(data.vocabulary)
    rows, columns, counts = data.cooccurrences("train")
    meetings = np.zeros((size, size))
    meetings[rows, columns] = counts
    expected = np.outer(meetings.sum(1), meetings.sum(0)) / meetings.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.nan_to_num(np.maximum(np.log(meetings / expected), 0.0), posinf=0.0)
    left, strengths, _ = np.linalg.svd(information)
    return (left * np.sqrt(strengths))[:, :dimension]


def signed_words(text: str) -> list[tuple[int, str]]:
    """
    >>> signed_words("king - man + woman")
    [(1, 'king'), (-1, 'man'), (1, 'woman')]
    """
    sign, terms = 1, []
    for piece in text.split():
        if piece in "+-":
            sign = 1 if piece == "+" else -1
        else:
            terms.append((sign, piece))
            sign = 1
    if not terms:
        raise UsageError(f"{text!r} holds no word; expected a word, or words with + and - between them")
    return terms
