"""Shift, flip and crop done in one: the same as one after the other, by the pictures, the boxes and the masks."""

import numpy as np
import pytest

from zoo.data.image import moves, transforms
from zoo.data.image.normalization import Scaling

HEIGHT, WIDTH, COUNT = 12, 17, 60
TOGETHER = [
    {"shift": 3, "flip": True},
    {"flip": True, "shift": 3},
    {"crop": (0.4, 1.0), "flip": True},
    {"flip": True, "crop": (0.4, 1.0)},
    {"grey": 0.3, "flip": True, "crop": (0.3, 0.9), "colour": 0.2},
    {"shift": 2, "flip": True, "crop": (0.5, 1.0)},
]


def scenes(dtype, clips=False):
    rng = np.random.default_rng(0)
    corners = np.sort(rng.random((COUNT, 5, 2, 2)), 2).reshape(COUNT, 5, 4).astype("float32")
    corners[:, 4] = 0  # padding
    time = (3,) if clips else ()
    x = rng.integers(0, 256, (COUNT, *time, HEIGHT, WIDTH, 3)).astype(dtype)
    y = {"boxes": corners, "masks": rng.integers(0, 5, (COUNT, *time, HEIGHT, WIDTH)).astype("uint8"), "other": x[:, 0]}
    return x, y


def one_after_the_other(x, y, augment, draw):
    for number, (word, option) in enumerate(augment.items()):
        x, y = transforms.AUGMENT[word](x, y, draw + [number, 0], option)
    return x, y


def together(x, y, augment, draw):
    for step in transforms.steps(augment):
        x, y = step(x, y, draw)
    return x, y


@pytest.mark.parametrize("clips", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("augment", TOGETHER, ids=str)
def test_together_is_one_after_the_other(augment, dtype, clips):
    import tensorflow as tf

    if clips and "grey" in augment:
        pytest.skip("colours of clips are changed before they are folded")
    draw = tf.constant([123, 5], tf.int64)
    x, y = scenes(dtype, clips)
    (found, targets), (expected, wanted) = (each(x, y, augment, draw) for each in (together, one_after_the_other))
    np.testing.assert_allclose(found, expected, atol=0 if "crop" not in augment else 1e-3)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(targets["boxes"], wanted["boxes"], atol=1e-6)
    assert np.mean(np.asarray(targets["masks"]) != np.asarray(wanted["masks"])) < 1e-4  # where rounding decides
    np.testing.assert_array_equal(targets["other"], y["other"])


def test_a_flip_beside_a_shift_or_a_crop_is_no_step_of_its_own():
    assert [len(transforms.steps(augment)) for augment in TOGETHER] == [1, 1, 1, 1, 3, 2]
    assert len(transforms.steps({"flip": True, "stroke": 0.1})) == 2 and transforms.steps({}) == []


def test_a_flip_is_drawn_as_it_was():
    """By the same numbers as before it was gathered, so that a run that is repeated sees the same images."""
    import tensorflow as tf

    x, _ = scenes("uint8")
    for seed in ([1, 2], [7, 0]):
        coin = tf.random.stateless_uniform((COUNT, 1, 1, 1), seed) < 0.5
        expected = tf.where(coin, x[:, :, ::-1], x)
        np.testing.assert_array_equal(transforms.flip(x, 0, seed, True)[0], expected)


def test_mirrored_and_moved_by_hand():
    """The picture 1 2 3 4, in all places that a shift by one and a flip bring it to."""
    import tensorflow as tf

    x = np.array([1, 2, 3, 4], "uint8").reshape(1, 1, 4, 1).repeat(400, 0)
    draw = tf.constant([3, 4], tf.int64)
    expected = {(1, 2, 3, 4), (0, 1, 2, 3), (2, 3, 4, 0), (4, 3, 2, 1), (0, 4, 3, 2), (3, 2, 1, 0), (0, 0, 0, 0)}
    for augment in TOGETHER[:2]:
        moved = np.asarray(together(x, 0, {**augment, "shift": 1}, draw)[0])[:, 0, :, 0]
        assert {tuple(row) for row in moved.tolist()} == expected
        assert 0.4 < np.mean([row[1] > row[2] for row in moved.tolist() if any(row)]) < 0.6


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "mean, std", [((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), ((9.0,) * 3, (7.0,) * 3), ((0.0,), (255.0,))]
)
@pytest.mark.parametrize("shape", [(5, 8, 9, 3), (2, 3, 4, 5, 3), (8, 3), (3,), (0, 4, 4, 3)])
def test_scaling_by_rows_is_scaling_by_channels(shape, mean, std, reverse):
    x = np.random.default_rng(0).integers(0, 256, shape).astype("uint8")
    turned = x[..., ::-1] if reverse else x
    expected = (turned.astype("float32") - np.array(mean, "float32")) / np.array(std, "float32")
    found = Scaling(mean, std, reverse)(x)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == shape


def test_scaling_keeps_the_form_of_a_pipeline():
    import tensorflow as tf

    images = tf.data.Dataset.from_tensors(np.zeros((4, 5, 3), "uint8")).batch(2)
    for scaling in (Scaling((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), True), Scaling((0.0,), (255.0,))):
        assert images.map(scaling).element_spec == tf.TensorSpec((None, 4, 5, 3), tf.float32)


def test_a_flip_that_is_not_wanted_is_none_and_the_others_draw_as_before():
    x, draw = scenes("uint8")[0], np.array([5, 6])
    (shifted,) = transforms.steps({"flip": False, "shift": 3})
    wanted, _ = moves.shift(x, 0, draw + [1, 0], 3)
    np.testing.assert_array_equal(shifted(x, 0, draw)[0], wanted)
    assert transforms.steps({"flip": False}) == []
