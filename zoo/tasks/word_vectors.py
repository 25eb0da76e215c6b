"""Word vectors: judged by the analogies they solve and by what people find alike."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo import losses, plots
from zoo.data.builtin import tiny_english
from zoo.data.text import skipgram
from zoo.data.text.word_vectors import WordFeed
from zoo.errors import UsageError
from zoo.metrics.word_vectors import WordVectors, known_judgements, read_judgement, vectors_of
from zoo.tasks.base import Measured, Network, Task
from zoo.trainers.word2vec import BlockTrainer, paces
from zoo.trainers.word2vec_on_device import ResidentTrainer

PLANTED = {"tiny_english": tiny_english.QUESTIONS}  # data sets that know their own analogies
FACTORED = 3_000  # words beyond which no matrix is factored for comparison: it takes minutes


def learner(network: Network, feed: WordFeed) -> Network:
    """What is compiled and fitted: the network itself, or its blocks where the recipe asks for them."""
    if not feed.block:
        return network
    if feed.inputs != ("centre", "contexts"):
        raise UsageError(f"block is {feed.block}; {network.card.name} is trained by pairs: leave it out (block=0)")
    return replace(network, model=block_trainer(network.model, feed))


def block_trainer(model, feed: WordFeed) -> BlockTrainer:
    plan = feed.plan
    settings = dict(rate=plan.learning_rate, words=feed.words_in_a_step, window=feed.window, negatives=feed.negatives)
    options = dict(negatives=feed.negatives, paces=paces(feed.shares(), feed.noise.shares, **settings))
    if feed.resident:
        return ResidentTrainer(model, feed.text, step=feed.blocks_in_a_step, **options)
    return BlockTrainer(model, **options)


def judgements(feed: WordFeed, files: Sequence[str] = ()) -> dict[str, object]:
    """Name -> questions: those that the data set knows itself, else the usual ones; and those in files."""
    own = PLANTED.get(feed.source.name.partition(":")[0])
    usual = {"analogies": own} if own else {name: read_judgement(path) for name, path in known_judgements().items()}
    added = {}
    for path in files:
        name = Path(path).stem
        if name in usual | added or name == "loss":
            raise UsageError(f"{path} would be measured as {name!r}, which there is already; give it another name")
        added[name] = read_judgement(path)
    return usual | added


def measure(network: Network, feed: WordFeed, split: str) -> Measured:
    """The loss on held-out text; the share of analogies solved; how far similarities agree with people's."""
    vectors = WordVectors(feed.vocabulary.words[1:], vectors_of(network.model)[1:])
    found = {"analogies": float("nan"), "loss": held_out_loss(network, feed, split)}
    notes = []
    for name, questions in judgements(feed, feed.files).items():
        if isinstance(questions, list):
            score = vectors.similarity(questions)
            notes.append(f"{name} (Spearman's correlation): {score}")
        else:
            sections = vectors.analogies(questions)
            score = sections.pop("")
            notes.append(f"{name} (share right): {score}")
            notes += [f"  {section}: {each}" for section, each in sections.items() if each.known]
        found[name], found[f"{name}_coverage"] = score.value, score.known / max(score.asked, 1)
    for word in vectors.words[len(vectors.words) // 20 :: max(1, len(vectors.words) // 5)][:4]:
        notes.append(f"nearest to {word}: " + ", ".join(other for other, _ in vectors.neighbours(word, 6)))
    return Measured({name: value for name, value in found.items()}, None, vectors, tuple(notes))


def held_out_loss(network: Network, feed: WordFeed, split: str) -> float:
    """The mean over examples that are the same every time."""
    total = count = 0
    for x, y in feed.batches(split, blocks=False).as_numpy_iterator():
        total += len(y) * float(network.criterion(y, network.model.predict_on_batch(x)))
        count += len(y)
    return total / max(count, 1)


def baselines(feed: WordFeed) -> dict[str, float]:
    """A word at random; and vectors by linear algebra alone: counts of meetings, compared with chance, factored."""
    questions = judgements(feed).get("analogies")
    found = {"chance": 1.0 / (len(feed.vocabulary) - 1)}
    if questions and len(feed.vocabulary) <= FACTORED:
        vectors = WordVectors(feed.vocabulary.words[1:], factored(feed)[1:])
        found["factored counts"] = vectors.analogies(questions)[""].value
    return found


def factored(feed: WordFeed, dimension: int = 50) -> np.ndarray:
    """Positive pointwise mutual information, factored (Levy, Goldberg & Dagan 2015): U sqrt(S), (words, dimension)."""
    size = len(feed.vocabulary)
    rows, columns, counts = skipgram.cooccurrence(feed.tokens("train"), feed.window, size)
    meetings = np.zeros((size, size))
    meetings[rows, columns] = counts
    expected = np.outer(meetings.sum(1), meetings.sum(0)) / meetings.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.nan_to_num(np.maximum(np.log(meetings / expected), 0.0), posinf=0.0)
    left, strengths, _ = np.linalg.svd(information)
    return (left * np.sqrt(strengths))[:, :dimension]


def answer(network: Network, feed: WordFeed, inputs: Sequence[str], folder: Path | None) -> list[str]:
    """A word: its neighbours. "king - man + woman": the nearest to that sum. Also draws them, with `folder`."""
    vectors = WordVectors(feed.vocabulary.words[1:], vectors_of(network.model)[1:])
    lines = []
    for text in inputs:
        terms = signed_words(text)
        direction = sum(sign * vectors.directions[vectors.place(word)] for sign, word in terms)
        nearest = vectors.nearest(direction, [word for _, word in terms], 10)
        lines.append(f"{text}: " + ", ".join(f"{word} {cosine:.2f}" for word, cosine in nearest))
    return lines


def signed_words(text: str) -> list[tuple[int, str]]:
    """
    >>> signed_words("king - man + woman")
    [(1, 'king'), (-1, 'man'), (1, 'woman')]
    """
    sign, terms = 1, []
    for piece in text.lower().split():
        if piece in "+-":
            sign = 1 if piece == "+" else -1
        else:
            terms.append((sign, piece))
            sign = 1
    if not terms:
        raise UsageError(f"{text!r} holds no word; expected a word, or words with + and - between them")
    return terms


def draw_map(feed: WordFeed, measured: Measured):
    """The planted pairs, or else the commonest words, on the two directions in which they differ most."""
    vectors = measured.outputs
    planted = PLANTED.get(feed.source.name.partition(":")[0])
    pairs = sorted({row[:2] for rows in planted.values() for row in rows}) if planted else []
    pairs = [pair for pair in pairs if set(pair) <= vectors.places.keys()]
    return plots.word_map(vectors, pairs)


def exported(write):
    return lambda network, feed, path: write(
        WordVectors(feed.vocabulary.words[1:], vectors_of(network.model)[1:]), path
    )


TASKS = {
    "word_vectors": Task(
        metric="analogies",
        minimise=False,
        feed=WordFeed,
        loss=losses.NegativeSampling,
        measure=measure,
        baselines=baselines,
        pictures={"map.png": draw_map},
        answer=answer,
        learner=learner,
        takes_files=True,
        exports={
            "word2vec": exported(lambda vectors, path: vectors.save_word2vec(path)),
            "word2vec-binary": exported(lambda vectors, path: vectors.save_word2vec(path, binary=True)),
            "projector": exported(lambda vectors, path: vectors.save_projector(path)),
        },
    ),
}
