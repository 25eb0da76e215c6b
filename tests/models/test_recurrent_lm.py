"""What is special in language models: no look ahead, a start at knowing nothing, and a step that is the network."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import UsageError
from zoo.models.recurrent_lm import decoder

NAMES = ["gru_lm", "lstm_lm"]
SMALL = {"vocabulary_size": 12, "embedding": 8, "units": (6, 8), "input_shape": (None,)}


def run(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


@pytest.fixture
def tokens():
    return np.random.default_rng(0).integers(0, 12, (3, 9)).astype("int32")


@pytest.mark.parametrize("name", NAMES)
def test_no_look_ahead(name, tokens):
    model = zoo.build(name, **SMALL)
    before = run(model, tokens)
    for place in (1, 5, 8):
        other = tokens.copy()
        other[:, place] = (tokens[:, place] + 5) % 12
        after = run(model, other)
        np.testing.assert_array_equal(after[:, :place], before[:, :place])
        assert np.abs(after[:, place:] - before[:, place:]).max(axis=(1, 2)).min() > 1e-6


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_token_by_token_is_the_whole_text_at_once(name, tied, tokens):
    model = zoo.build(name, **SMALL, tied=tied)
    steps, found = decoder(model), []
    memory, state = steps.start(None, 3, tokens.shape[1])
    for position in range(tokens.shape[1]):
        logits, state = steps.step(keras.ops.convert_to_tensor(tokens[:, position]), position, memory, state)
        found.append(keras.ops.convert_to_numpy(logits))
    np.testing.assert_allclose(np.stack(found, axis=1), run(model, tokens), atol=1e-6)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_an_untrained_model_hesitates_between_all_tokens(name, tied, tokens):
    model = zoo.build(name, vocabulary_size=500, embedding=64, units=(64,), tied=tied)
    x = np.random.default_rng(1).integers(0, 500, (8, 100))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(np.roll(x, -1, axis=1), run(model, x))
    assert float(loss) == pytest.approx(np.log(500), abs=0.05)


def test_tied_embeddings_are_one_matrix():
    tied = zoo.build("gru_lm", vocabulary_size=12, embedding=8, units=(8,), tied=True)
    free = zoo.build("gru_lm", vocabulary_size=12, embedding=8, units=(8,))
    assert free.count_params() - tied.count_params() == 8 * 12 + 12
    assert tied.output.dtype == "float32"
    with pytest.raises(UsageError, match="embedding is 9 and the last layer has 8 units; expected the same number"):
        zoo.build("gru_lm", embedding=9, units=(8,), tied=True)


def test_units_are_checked():
    with pytest.raises(UsageError, match=r"units is \(\); expected the units of each recurrent layer"):
        zoo.build("lstm_lm", units=())
