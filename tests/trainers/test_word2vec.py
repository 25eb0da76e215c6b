"""Training by blocks against training by layers: the same pairs, one by one, under `keras.optimizers.SGD`."""

import keras
import numpy as np
import pytest

import zoo
from zoo.data.text import skipgram
from zoo.errors import UsageError
from zoo.losses import candidate_losses
from zoo.trainers.word2vec import BlockTrainer

WORDS, DIM, WINDOW, K, SHARED, RATE = 40, 12, 3, 5, 6, 0.05


class PairByPair(keras.Loss):
    """`zoo.losses.NegativeSampling` as a sum, with a weight for each candidate."""

    def __init__(self):
        super().__init__(reduction="sum")

    def call(self, y_true, y_pred):
        return candidate_losses(y_true, y_pred)


def network(negatives, seed=0):
    keras.utils.set_random_seed(seed)
    model = zoo.build("word2vec", vocabulary_size=WORDS, dimension=DIM, negatives=negatives)
    rng = np.random.default_rng(seed)
    for layer in ("words", "theta"):
        model.get_layer(layer).set_weights([rng.normal(scale=0.3, size=(WORDS, DIM)).astype("float32")])
    return model


def a_block(rng, blocks=4, size=8):
    tokens = np.where(rng.random(60) < 0.12, 0, rng.integers(1, WORDS, 60))
    tokens[-1] = 0
    words, left, right = skipgram.windows(tokens, WINDOW, rng)
    context, left, right = (each[:blocks] for each in skipgram.blocks(words, left, right, size=size, window=WINDOW))
    drawn = rng.integers(1, 6, (blocks, SHARED)).astype("int32")  # few words: many are true somewhere
    return {"words": context.copy(), "left": left, "right": right, "negatives": drawn}


def as_pairs(block):
    """Every pair of a block with the block's negatives: centres, candidates, labels, weights."""
    rows = []
    for context, left, right, drawn in zip(*(block[key] for key in ("words", "left", "right", "negatives"))):
        for centre in range(len(left)):
            here = WINDOW + centre
            for other in [*range(here - left[centre], here), *range(here + 1, here + 1 + right[centre])]:
                weights = np.where(drawn == context[other], 0.0, K / SHARED)  # a true word is no negative
                rows.append((context[here], [context[other], *drawn], [1, *[0] * SHARED], [1.0, *weights]))
    centres, candidates, labels, weights = (np.array(column) for column in zip(*rows))
    x = {"centre": centres.astype("int32"), "contexts": candidates.astype("int32")}
    return x, labels.astype("int32"), weights.astype("float32")


def repeated(block, steps):
    def generate():
        for _ in range(steps):
            yield block, np.zeros(len(block["left"]), "int32")

    import tensorflow as tf

    signature = tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), next(generate()))
    examples = tf.data.Dataset.from_generator(generate, output_signature=signature)
    return examples.apply(tf.data.experimental.assert_cardinality(steps))


def test_blocks_learn_what_the_layers_learn():
    block = a_block(np.random.default_rng(0))
    assert (block["words"][:, :, None] == block["negatives"][:, None, :]).any(), "nothing is rejected: no test of it"
    x, y, weights = as_pairs(block)
    plain = network(SHARED)
    plain.compile(keras.optimizers.SGD(RATE), PairByPair())
    fast = network(K)
    trainer = BlockTrainer(fast, negatives=K)
    trainer.compile(keras.optimizers.SGD(RATE))
    before = [table.copy() for table in plain.get_weights()]
    for _ in range(3):
        plain.train_on_batch(x, y, sample_weight=weights)
    trainer.fit(repeated(block, 3), verbose=0, shuffle=False)
    for start, slow, quick in zip(before, plain.get_weights(), fast.get_weights()):
        assert np.abs(slow - start).max() > 0.01
        np.testing.assert_allclose(quick, slow, atol=2e-5)
    assert int(trainer.optimizer.iterations) == 3


def test_the_loss_shown_is_that_of_the_layers():
    block = a_block(np.random.default_rng(1), blocks=1)
    x, y, weights = as_pairs(block)
    plain = network(SHARED)
    trainer = BlockTrainer(network(K), negatives=K)
    trainer.compile(keras.optimizers.SGD(RATE))
    losses = keras.ops.convert_to_numpy(candidate_losses(y, plain(x)))
    expected = float((losses * weights).sum() / len(y))
    assert trainer.evaluate(repeated(block, 1), verbose=0, return_dict=True)["loss"] == pytest.approx(
        expected, rel=1e-5
    )


def test_places_beyond_the_text_change_nothing():
    block = a_block(np.random.default_rng(2))
    block["left"][:] = block["right"][:] = 0
    model = network(K)
    before = model.get_weights()
    trainer = BlockTrainer(model, negatives=K)
    trainer.compile(keras.optimizers.SGD(RATE))
    trainer.fit(repeated(block, 1), verbose=0, shuffle=False)
    for one, other in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_rate_that_falls_step_by_step_is_followed():
    block = a_block(np.random.default_rng(3))
    rates = keras.optimizers.schedules.PiecewiseConstantDecay([0], [RATE, 0.0])  # one step, then none
    once, thrice = network(K), network(K)
    for model, rate, steps in ((once, RATE, 1), (thrice, rates, 3)):
        trainer = BlockTrainer(model, negatives=K)
        trainer.compile(keras.optimizers.SGD(rate))
        trainer.fit(repeated(block, steps), verbose=0, shuffle=False)
    for one, other in zip(once.get_weights(), thrice.get_weights()):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_what_is_saved_is_the_network(tmp_path):
    model = network(K)
    trainer = BlockTrainer(model, negatives=K)
    trainer.compile(keras.optimizers.SGD(RATE))
    trainer.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize(
    "optimizer", [keras.optimizers.Adam(), keras.optimizers.SGD(0.1, momentum=0.9)], ids=["adam", "momentum"]
)
def test_an_optimizer_that_touches_every_row_is_refused(optimizer):
    with pytest.raises(UsageError, match="trained by plain SGD"):
        BlockTrainer(network(K)).compile(optimizer)
