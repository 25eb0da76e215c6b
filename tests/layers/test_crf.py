"""The conditional random field beside the sum and the best of all paths, one by one."""

import importlib.util
import itertools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from zoo.layers.crf import ConditionalRandomField, log_partition, path_score, viterbi
from zoo.losses import TagLikelihood

LENGTHS, TAGS = (4, 1, 3), 3
TOKENS = np.array([[5, 0, 7, 8], [9, 0, 0, 0], [4, 4, 4, 0]])  # one word in the middle is number 0


@pytest.fixture(scope="module")
def scores():
    return np.random.default_rng(0).normal(size=(3, 4, TAGS), scale=2).astype("float32")


@pytest.fixture(scope="module")
def layer():
    layer = ConditionalRandomField()
    layer.build((None, None, TAGS), (None, None))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape, scale=2) for weight in layer.weights])
    return layer


@pytest.fixture(scope="module")
def paths(layer, scores):
    """Of each sentence the score of every path, by the definition: start, tags, what follows what, end."""
    transitions, start, end = layer.get_weights()

    def score(path, row):
        follow = sum(transitions[i, j] for i, j in itertools.pairwise(path))
        return start[path[0]] + follow + sum(row[t, tag] for t, tag in enumerate(path)) + end[path[-1]]

    return [
        {path: score(path, row) for path in itertools.product(range(TAGS), repeat=length)}
        for row, length in zip(scores.astype("float64"), LENGTHS)
    ]


def numpy(tensor):
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


def test_the_partition_is_the_sum_over_all_paths(layer, scores, paths):
    expected = [np.logaddexp.reduce(list(each.values())) for each in paths]
    np.testing.assert_allclose(numpy(log_partition(layer(scores, TOKENS))), expected, rtol=1e-5)


def test_the_score_of_every_path(layer, scores, paths):
    potentials = layer(scores, TOKENS)
    for sentence, each in enumerate(paths):
        tags = np.full((len(each), 4), -1)
        tags[:, : LENGTHS[sentence]] = list(each)
        found = path_score(ops.repeat(potentials[sentence : sentence + 1], len(each), axis=0), tags)
        np.testing.assert_allclose(numpy(found), list(each.values()), rtol=1e-4, atol=1e-4)


def test_the_best_path(layer, scores, paths):
    found = numpy(viterbi(layer(scores, TOKENS)))
    for row, length, each in zip(found, LENGTHS, paths):
        assert tuple(row[:length]) == max(each, key=each.get)
        assert (row[length:] == row[length - 1]).all(), "padding changes no tag"


def test_the_loss_is_the_likelihood_for_each_token(layer, scores, paths):
    tags = np.array([[0, 2, 1, 1], [2, -1, -1, -1], [-1, -1, -1, -1]])  # the last sentence has no tags
    wanted = [np.logaddexp.reduce(list(paths[0].values())) - paths[0][0, 2, 1, 1]]
    wanted += [np.logaddexp.reduce(list(paths[1].values())) - paths[1][2,]]
    assert numpy(TagLikelihood()(tags, layer(scores, TOKENS))) == pytest.approx(sum(wanted) / 5, rel=1e-5)
    alone = scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)
    wanted = [-alone[0, t, tag] for t, tag in enumerate((0, 2, 1, 1))] + [-alone[1, 0, 2]]
    assert numpy(TagLikelihood()(tags, scores)) == pytest.approx(np.mean(wanted), rel=1e-5)


def test_without_learned_tables_it_is_a_softmax_for_each_word(scores):
    tags = np.array([[0, 2, 1, 1], [2, -1, -1, -1], [1, 0, 2, -1]])
    potentials = ConditionalRandomField()(scores, TOKENS)
    assert numpy(TagLikelihood()(tags, potentials)) == pytest.approx(numpy(TagLikelihood()(tags, scores)), rel=1e-5)
    np.testing.assert_array_equal(numpy(viterbi(potentials))[0], scores[0].argmax(-1))


def test_more_padding_changes_nothing(layer, scores):
    wide = np.pad(scores, ((0, 0), (0, 3), (0, 0)), constant_values=7), np.pad(TOKENS, ((0, 0), (0, 3)))
    for function in (log_partition, lambda potentials: viterbi(potentials)[:, :4]):
        np.testing.assert_allclose(numpy(function(layer(*wide))), numpy(function(layer(scores, TOKENS))), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_on_the_other_backends(backend):
    if backend == keras.config.backend() or not importlib.util.find_spec(backend):
        pytest.skip("tested already, or not installed")
    settings = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-m", "not slow", __file__], env=settings)
    assert done.returncode == 0
