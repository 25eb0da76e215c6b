"""The text on the device: its epochs against those of `zoo.data.text.skipgram`, a training against one by blocks."""

import keras
import numpy as np
import pytest
from scipy.stats import chisquare

import zoo
from zoo.data.batching import Batches
from zoo.data.text import skipgram
from zoo.data.text.skipgram import NegativeSampler
from zoo.trainers.word2vec import BlockTrainer
from zoo.trainers.word2vec_on_device import MAX_STEPS_PER_CALL, DeviceCorpus, OnDeviceTrainer

WORDS, SIZE, SHARED, WINDOW = 30, 8, 5, 3


@pytest.fixture
def tokens():
    rng = np.random.default_rng(0)
    text = np.where(rng.random(3000) < 0.1, 0, rng.integers(1, WORDS, 3000)).astype("int32")
    text[-1] = 0
    return text


def corpus(tokens, keep=None, seed=0, **sizes):
    counts = np.bincount(tokens, minlength=WORDS)
    counts[0] = 0
    sizes = {"block": SIZE, "negatives": SHARED, "window": WINDOW, **sizes}
    return DeviceCorpus(tokens, np.ones(WORDS) if keep is None else keep, NegativeSampler(counts), seed=seed, **sizes)


def blocks_of(text):
    block = text(np.arange(text.blocks + 1, dtype="int32"))
    return {name: keras.ops.convert_to_numpy(values) for name, values in block.items()}


def test_without_subsampling_the_words_are_the_text_in_order(tokens):
    found = blocks_of(corpus(tokens))
    words, left, right = skipgram.windows(tokens, WINDOW, rng=None)
    context, widest_left, widest_right = skipgram.blocks(words, left, right, size=SIZE, window=WINDOW)
    np.testing.assert_array_equal(found["words"][:-1], context)
    assert (found["left"][:-1] <= widest_left).all() and (found["right"][:-1] <= widest_right).all()
    one_width = np.maximum(found["left"], found["right"])[:-1]  # what the sentence does not limit is the width drawn
    np.testing.assert_array_equal(found["left"][:-1], np.minimum(widest_left, one_width))
    np.testing.assert_array_equal(found["right"][:-1], np.minimum(widest_right, one_width))


def test_the_block_behind_the_last_has_no_windows(tokens):
    found = blocks_of(corpus(tokens))
    assert not found["left"][-1].any() and not found["right"][-1].any()


def test_windows_of_all_widths_are_drawn_alike(tokens):
    text, widths = corpus(tokens), []
    for _ in range(20):
        text.draw_epoch()
        found = blocks_of(text)
        free = (found["words"][:, WINDOW:-WINDOW] > 0) & (found["left"] > 0)
        inner = found["left"][free & (np.minimum(*limits(tokens, text)) == WINDOW)]
        widths.append(np.bincount(inner, minlength=WINDOW + 1)[1:])
    assert chisquare(np.sum(widths, axis=0)).pvalue > 0.01


def limits(tokens, text):
    words, left, right = skipgram.windows(tokens, WINDOW, rng=None)
    _, left, right = skipgram.blocks(words, left, right, size=SIZE, window=WINDOW)
    nothing = np.zeros((1, SIZE), "int32")
    return np.concatenate([left, nothing]), np.concatenate([right, nothing])


def test_negatives_are_drawn_as_the_sampler_says(tokens):
    text, drawn = corpus(tokens, negatives=20), []
    for _ in range(20):
        text.draw_epoch()
        drawn.append(blocks_of(text)["negatives"].ravel())
    found = np.bincount(np.concatenate(drawn), minlength=WORDS)
    counts = np.bincount(tokens, minlength=WORDS)
    counts[0] = 0
    probabilities = NegativeSampler(counts).probabilities
    assert not found[0] and chisquare(found[1:], probabilities[1:] * found.sum()).pvalue > 0.01


def test_frequent_words_are_subsampled_by_their_probability_and_windows_close_over_the_gaps(tokens):
    keep = np.ones(WORDS, "float32")
    keep[1:5] = 0.25
    text, kept, there = corpus(tokens, keep), 0, np.isin(tokens, range(1, 5)).sum()
    rare = tokens[(tokens == 0) | (tokens > 4)]
    for _ in range(20):
        text.draw_epoch()
        words = blocks_of(text)["words"][:, WINDOW:-WINDOW].ravel()
        kept += np.isin(words, range(1, 5)).sum()
        np.testing.assert_array_equal(words[words > 4], rare[rare > 4])
    std = np.sqrt(20 * there * 0.25 * 0.75)
    assert abs(kept - 20 * there * 0.25) < 4 * std


def test_an_epoch_has_every_block_once_and_full_calls(tokens):
    text = corpus(tokens)
    numbers = text.shuffled_blocks(np.random.default_rng(0), 4)
    assert numbers.shape[1] % 4 == 0 and numbers.shape[1] // 4 <= MAX_STEPS_PER_CALL
    assert sorted(numbers[numbers < text.blocks].tolist()) == list(range(text.blocks))
    assert (numbers <= text.blocks).all()


@pytest.mark.parametrize(
    "step", [pytest.param(4, id="side by side"), pytest.param(5, id="in one", marks=pytest.mark.slow)]
)
def test_a_call_learns_what_its_steps_learn_one_by_one(tokens, step):
    text = corpus(tokens)
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        models.append(zoo.build("word2vec", vocabulary_size=WORDS, dimension=6))
        models[-1].get_layer("theta").set_weights([np.random.default_rng(1).normal(size=(WORDS, 6)).astype("float32")])
    many, single = (
        OnDeviceTrainer(models[0], text, blocks_per_step=step, negatives=5),
        BlockTrainer(models[1], negatives=5),
    )
    calls = text.shuffled_blocks(np.random.default_rng(0), step)[:2]
    text.draw_epoch = lambda: None  # the same text for both
    for trainer in (many, single):
        trainer.compile(keras.optimizers.SGD(0.05))
    many.fit(Batches(lambda call: (call, call), lambda: list(calls)), verbose=0, shuffle=False)
    for numbers in calls.reshape(-1, step):
        block = {name: keras.ops.convert_to_numpy(values) for name, values in text(numbers).items()}
        single.train_on_batch(block, np.zeros(step))
    for one, other in zip(models[0].get_weights(), models[1].get_weights()):
        np.testing.assert_allclose(one, other, atol=2e-5)
    assert int(many.optimizer.iterations) == int(single.optimizer.iterations) == calls.size // step
