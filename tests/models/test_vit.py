"""The Vision Transformer: positions on a grid, the block of the Transformer, and what is refused."""

import keras
import numpy as np
import pytest

import zoo
from zoo.layers.patches import GridPositions

TINY = zoo.info("vit_base_16").tiny


@pytest.mark.parametrize("patches", [(3, 5), (8, 4), (4, 4)])
def test_positions_are_stretched_as_pytorch_does(patches):
    torch = pytest.importorskip("torch")
    layer = GridPositions((4, 4), patches)
    x = np.zeros((1, 1 + patches[0] * patches[1], 6), "float32")
    layer.build(x.shape)
    table = np.random.default_rng(0).normal(size=(17, 6)).astype("float32")
    layer.set_weights([table])
    found = keras.ops.convert_to_numpy(layer(x))[0]
    grid = torch.tensor(table[1:].reshape(1, 4, 4, 6).transpose(0, 3, 1, 2))
    expected = torch.nn.functional.interpolate(grid, size=patches, mode="bicubic", align_corners=False)
    np.testing.assert_allclose(found[0], table[0], atol=1e-6)
    np.testing.assert_allclose(found[1:], expected.numpy()[0].reshape(6, -1).T, atol=1e-5)


def test_weights_of_one_size_serve_another(tmp_path):
    small = zoo.build("vit_base_16", **TINY)
    small.save_weights(tmp_path / "net.weights.h5")
    large = zoo.build("vit_base_16", **{**TINY, "input_shape": (48, 64, 3)}, weights=tmp_path / "net.weights.h5")
    assert [weight.shape for weight in large.weights] == [weight.shape for weight in small.weights]
    assert zoo.build("vit_base_16", **{**TINY, "input_shape": (48, 64, 3)}, top=False).output_shape == (None, 6, 8, 16)


def test_the_logits_are_read_from_the_class_token():
    model = zoo.build("vit_base_16", **TINY)
    vectors = keras.Model(model.input, [model.get_layer("encoder_norm").output, model.get_layer("features").output])
    tokens, features = vectors(np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32"))
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(each) for each in (tokens[:, 0], features)))


def test_stochastic_depth_drops_whole_sublayers_of_some_examples():
    """Keras's dropout draws one number for each example here; the last block drops nearly all."""
    keras.utils.set_random_seed(0)
    model = zoo.build("vit_base_16", **{**TINY, "num_layers": 2, "drop_path": 0.9})
    layer = model.get_layer("encoder2_mlp_drop_path")
    kept = keras.ops.convert_to_numpy(layer(np.ones((200, 5, 16), "float32"), training=True))
    assert {round(float(each), 3) for each in np.unique(kept)} == {0.0, 10.0}
    assert (np.ptp(kept, axis=(1, 2)) == 0).all() and 0.03 < (kept[:, 0, 0] > 0).mean() < 0.2
    assert "encoder1_mlp_drop_path" not in [each.name for each in model.layers]


@pytest.mark.parametrize("shape", [(224, 230, 3), (None, None, 3)])
def test_sides_that_patches_do_not_divide_are_refused(shape):
    with pytest.raises(zoo.UsageError, match="for vit_base_16; expected sides that patches of 16 divide: resize them"):
        zoo.build("vit_base_16", input_shape=shape)
