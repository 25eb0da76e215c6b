"""What is special in the tagger: it reads both ways, padding changes nothing, and it has a field or none."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import UsageError

SMALL = {"input_shape": (None,), "vocabulary_size": 12, "embedding": 4, "units": (3, 3), "num_classes": 4}
WORDS = np.array([[3, 5, 7, 2, 9]])


def run(model, words):
    return keras.ops.convert_to_numpy(model(words, training=False))


@pytest.mark.parametrize("bidirectional", [True, False])
def test_which_words_a_tag_knows(bidirectional):
    """All of the sentence; read from one end, those up to it."""
    model = zoo.build("tagger", crf=False, bidirectional=bidirectional, **SMALL)
    other = WORDS.copy()
    other[0, 2] = 4
    moved = np.abs(run(model, WORDS) - run(model, other)).max((0, 2))
    assert (moved[2:] > 0).all() and (moved[:2] > 0).all() == bidirectional


def test_padding_changes_nothing():
    model = zoo.build("tagger", **SMALL)
    padded = run(model, np.pad(WORDS, ((0, 0), (0, 3))))
    np.testing.assert_allclose(padded[:, :5], run(model, WORDS), atol=1e-6)
    assert (padded[:, 5:, np.arange(4), np.arange(4)] == 0).all(), "at no cost the tag stays"


def test_a_field_adds_its_tables_to_the_same_scores():
    model, plain = zoo.build("tagger", **SMALL), zoo.build("tagger", crf=False, **SMALL)
    assert model.count_params() == plain.count_params() + 4 * 4 + 4 + 4
    plain.set_weights(model.get_weights()[:-3])
    potentials = run(model, WORDS)
    np.testing.assert_allclose(potentials, np.repeat(run(plain, WORDS)[:, :, None], 4, axis=2), atol=1e-6)


def test_units_are_whole_numbers():
    with pytest.raises(UsageError, match="units is"):
        zoo.build("tagger", units=0.5)
