"""What is special in fastText: a mean in which padding does not count, and no order but that of neighbours."""

import itertools

import keras
import numpy as np
import pytest

import zoo
from zoo.models.fasttext import MULTIPLIER, Bigrams


def answer(model, tokens):
    return keras.ops.convert_to_numpy(model(np.array(tokens, "int32"), training=False))


def small(**options):
    model = zoo.build("fasttext_classifier", input_shape=(None,), vocabulary_size=30, embedding=6, **options)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    return model


def test_it_is_the_mean_of_words_and_bigrams_by_hand():
    model, tokens = small(bigrams=50), [4, 9, 2]
    words, pairs, kernel, bias = model.get_weights()
    rows = [(a * MULTIPLIER + b) % 49 + 1 for a, b in itertools.pairwise(tokens)]
    mean = words[tokens].mean(0) + pairs[[*rows, 0]].mean(0)
    np.testing.assert_allclose(answer(model, [tokens])[0], mean @ kernel + bias, rtol=1e-5)


def test_padding_does_not_count():
    model = small(bigrams=50)
    np.testing.assert_allclose(answer(model, [[4, 9, 2]]), answer(model, [[4, 9, 2, 0, 0]]), rtol=1e-5)


@pytest.mark.parametrize(("bigrams", "alike"), [(0, True), (5000, False)])
def test_order_counts_by_bigrams_alone(bigrams, alike):
    model = small(bigrams=bigrams)
    assert np.allclose(answer(model, [[4, 9, 2, 7]]), answer(model, [[7, 2, 9, 4]]), rtol=1e-5) == alike


def test_bigrams_of_a_large_vocabulary_stay_in_their_table():
    tokens = np.array([[70_999, 70_998, 1, 0]], "int32")
    rows = keras.ops.convert_to_numpy(Bigrams(1000)(tokens))
    assert ((rows[0, :2] >= 1) & (rows[0, :2] < 1000)).all() and (rows[0, 2:] == 0).all()
