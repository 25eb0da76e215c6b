"""Boxes and masks follow their image, through every step of preprocessing and of augmentation; other targets stay."""

import re

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.data import AUGMENT, PREPROCESS, Source
from zoo.data.checks import check_boxes
from zoo.data.epochs import with_draws
from zoo.data.image import geometry, pipeline
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.image.keras_layers import AUGMENT_LAYERS, COLOUR_LAYERS, GEOMETRIC_LAYERS
from zoo.data.image.normalization import Scaling
from zoo.data.image.transforms import crop, flip, shift
from zoo.data.video import frames

SAME = Scaling((0.0,), (1.0,))
HEIGHT, WIDTH = 24, 32


def scenes(count=48, height=HEIGHT, width=WIDTH, seed=0):
    """Images (count, height, width, 1) with one bright rectangle each; as masks, and as boxes with a row of padding."""
    rng = np.random.default_rng(seed)
    masks, boxes = np.zeros((count, height, width), "int32"), np.zeros((count, 2, 4), "float32")
    for mask, box in zip(masks, boxes):
        top, left = rng.integers(0, height - 6), rng.integers(0, width - 6)
        bottom, right = top + rng.integers(4, height - top), left + rng.integers(4, width - left)
        mask[top:bottom, left:right] = 7
        box[0] = left / width, top / height, right / width, bottom / height
    return (masks[..., None] > 0).astype("float32") * 200, {"boxes": boxes, "masks": masks}


def bounds(mask):
    """The box around what is not 0, as fractions; zeros where there is nothing."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.zeros(4)
    height, width = mask.shape
    return np.array([columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height])


def assert_boxes_bound_masks(y, pixels):
    """The law of the whole file: a box drawn as a mask and moved is bounded by the box that was moved."""
    boxes, masks = np.asarray(y["boxes"]), np.asarray(y["masks"])
    height, width = masks.shape[1:3]
    assert not boxes[:, 1].any(), "padding stays padding"
    for box, mask in zip(boxes[:, 0], masks):
        off = np.abs(box - bounds(mask)) * [width, height, width, height]
        seen = min((box[2] - box[0]) * width, (box[3] - box[1]) * height) >= 1  # else there may be no pixel of it
        assert (off <= pixels).all() or not seen, (box, bounds(mask))


# By hand


def test_a_window_cuts_moves_and_stretches_boxes():
    change = geometry.through([0.25, 0.5, 0.75, 1.0])  # half as wide and half as high, to the middle below
    boxes = [[0.25, 0.5, 0.5, 0.75], [0.0, 0.0, 1.0, 1.0], [0.5, 0.75, 1.0, 1.0]]
    assert change(boxes).numpy().tolist() == [[0, 0, 0.5, 0.5], [0, 0, 1, 1], [0.5, 0.5, 1, 1]]
    gone = geometry.without_empty(change([[0.0, 0.0, 0.25, 1.0], [0.0, 0.0, 0.0, 0.0]]))
    assert gone.numpy().tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]


def test_flip_by_hand():
    x = np.arange(8.0, dtype="float32").reshape(1, 2, 4, 1).repeat(40, 0)
    y = {"boxes": np.float32([[[0.0, 0.5, 0.25, 1.0], [0, 0, 0, 0]]]).repeat(40, 0), "masks": x[..., 0].astype("int32")}
    found, targets = flip(x, y, [1, 2], True)
    mirrored = np.asarray(found)[:, 0, 0, 0] == 3
    assert 5 < mirrored.sum() < 35
    for row, turned in enumerate(mirrored):
        box = [0.75, 0.5, 1.0, 1.0] if turned else [0.0, 0.5, 0.25, 1.0]
        assert targets["boxes"][row].numpy().tolist() == [box, [0, 0, 0, 0]]
        np.testing.assert_array_equal(targets["masks"][row], np.asarray(found)[row, ..., 0])


def test_flip_both_ways_by_hand():
    """All four views of an image come out, each about as often, and what lies in a corner goes with it."""
    x = np.arange(8.0, dtype="float32").reshape(1, 2, 4, 1).repeat(400, 0)
    y = {"boxes": np.float32([[[0.0, 0.5, 0.25, 1.0]]]).repeat(400, 0), "masks": x[..., 0]}
    found, targets = flip(x, y, [1, 2], "both")
    expected = {0: [0, 0.5, 0.25, 1], 3: [0.75, 0.5, 1, 1], 4: [0, 0, 0.25, 0.5], 7: [0.75, 0, 1, 0.5]}
    corners = np.asarray(found)[:, 0, 0, 0]
    for corner, box in expected.items():
        assert 70 < (corners == corner).sum() < 130
        assert (np.asarray(targets["boxes"])[corners == corner] == box).all()
    np.testing.assert_array_equal(targets["masks"], np.asarray(found)[..., 0])
    alone = np.asarray(flip(x, 0, [1, 2], True)[0])[:, 0, 0, 0]
    np.testing.assert_array_equal(corners % 4, alone, "left to right by the same coins as alone")


def test_shift_by_hand():
    """A pixel in the corner of 4x4, moved by up to 1: it goes right and down, stays, or leaves."""
    x = np.zeros((200, 4, 4, 1), "float32")
    x[:, 0, 0] = 1
    y = {"boxes": np.float32([[[0, 0, 0.25, 0.25]]]).repeat(200, 0), "masks": x[..., 0]}
    found, targets = shift(x, y, [1, 2], 1)
    np.testing.assert_array_equal(targets["masks"], found[..., 0])
    boxes = {tuple(box[0].tolist()) for box in targets["boxes"].numpy()}
    inside = {(c / 4, r / 4, (c + 1) / 4, (r + 1) / 4) for c in (0, 1) for r in (0, 1)}
    assert boxes == inside | {(0.0, 0.0, 0.0, 0.0)}
    for image, box in zip(np.asarray(found)[..., 0], targets["boxes"].numpy()):
        np.testing.assert_array_equal(bounds(image), box[0])


def test_crop_of_everything_leaves_boxes_and_masks():
    x, y = scenes()
    found, targets = crop(x, y, [1, 2], (1.0, 1.0))
    square = [np.allclose(image, old) for image, old in zip(found, x)]  # a proportion of 1 is rare
    np.testing.assert_array_equal(np.asarray(targets["masks"])[square], y["masks"][square])
    np.testing.assert_allclose(np.asarray(targets["boxes"])[square], y["boxes"][square], atol=1e-6)


def test_crop_moves_boxes_by_the_very_map_of_the_pixels():
    """Of an image whose pixels are the coordinates of their own middles, a crop tells where everything went."""
    down, across = np.meshgrid((np.arange(12) + 0.5) / 12, (np.arange(16) + 0.5) / 16, indexing="ij")
    x = np.stack([across, down], -1)[None].astype("float32").repeat(50, 0)
    box = np.float32([0.4, 0.3, 0.6, 0.8])
    found, targets = crop(x, {"boxes": box[None, None].repeat(50, 0)}, [1, 2], (0.3, 0.9))
    for image, moved in zip(np.asarray(found), np.asarray(targets["boxes"])[:, 0]):
        for axis, line in enumerate((image[0, :, 0], image[:, 0, 1])):  # the coordinates along a row, down a column
            step = (line[-1] - line[0]) / (len(line) - 1)
            expected = (0.5 + (box[axis::2] - line[0]) / step) / len(line)
            np.testing.assert_allclose(moved[axis::2], np.clip(expected, 0, 1), atol=1e-5)


def test_resize_pad_and_cover_by_hand():
    x = np.zeros((4, 8, 1), "float32")
    x[1:3, 2:6] = 1
    y = {"boxes": np.float32([[0.25, 0.25, 0.75, 0.75], [0, 0, 0, 0]]), "masks": x[..., 0].astype("uint8"), "label": 3}
    _, resized = PREPROCESS["resize"](x, y, (8, 8))
    assert resized["boxes"].numpy().tolist() == y["boxes"].tolist() and resized["masks"].shape == (8, 8)
    assert bounds(resized["masks"].numpy()).tolist() == [0.25, 0.25, 0.75, 0.75]
    assert resized["masks"].dtype == tf.uint8 and resized["label"] == 3
    padded_image, padded = PREPROCESS["pad"](x, y, (8, 8))
    assert padded["boxes"].numpy()[0].tolist() == [0.25, 0.375, 0.75, 0.625]
    np.testing.assert_array_equal(padded["masks"], padded_image[..., 0])
    _, covered = PREPROCESS["cover"](tf.constant(x), y, (4, 4))  # the middle 4 columns
    assert covered["boxes"].numpy()[0].tolist() == [0.0, 0.25, 1.0, 0.75]
    assert bounds(covered["masks"].numpy()).tolist() == [0.0, 0.25, 1.0, 0.75]
    boxed_image, boxed = PREPROCESS["letterbox"](tf.constant((x * 255).astype("uint8")), y, (8, 8))
    assert boxed["boxes"].numpy()[0].tolist() == [0.25, 0.375, 0.75, 0.625]
    assert boxed_image.dtype == tf.uint8 and set(np.unique(boxed_image[:2])) == set(np.unique(boxed_image[6:])) == {128}
    np.testing.assert_array_equal(boxed_image[2:6], x * 255)


# Laws


def test_flip_twice_is_no_flip():
    x, y = scenes()
    once = flip(x, y, [1, 2], True)
    found, targets = flip(*once, [1, 2], True)
    np.testing.assert_array_equal(found, x)
    np.testing.assert_array_equal(targets["masks"], y["masks"])
    np.testing.assert_allclose(targets["boxes"], y["boxes"], atol=1e-6)


@pytest.mark.parametrize("paper, pen", [(0, 255), (255, 0), (200, 90), (60, 110)])
@pytest.mark.parametrize("scale, corner", [(1, (0, 0)), (1, (15, 37)), (3, (40, 61))])
def test_ink_is_the_same_whatever_its_paper_place_and_size(paper, pen, scale, corner):
    letter = np.zeros((10, 6), bool)
    letter[:, :2] = letter[-2:] = True  # an L
    page = np.full((26 * scale, 44 * scale, 1), paper, "uint8")
    page[tuple(slice(at, at + side * scale) for at, side in zip(corner, letter.shape))][
        np.kron(letter, np.ones((scale, scale), bool))
    ] = pen
    found, _ = PREPROCESS["ink"](tf.constant(page), 0, (20, 20))
    assert found.dtype == tf.uint8 and found.shape == (20, 20, 1)
    expected = np.pad(np.kron(letter, np.full((2, 2), 255.0)), ((0, 0), (4, 4)))
    assert np.abs(np.asarray(found)[..., 0] - expected).mean() < 15, "twice its size, in the middle, light on dark"


def test_an_empty_page_has_no_ink():
    found, _ = PREPROCESS["ink"](tf.constant(np.full((8, 12, 3), 7, "uint8")), 0, (20, 20))
    assert found.shape == (20, 20, 3) and not found.numpy().any()


STRETCHED = {"slant": 0.3, "zoom": (0.8, 1.25), "shift": 3}


def test_a_spot_goes_round_and_away_by_hand():
    spot = np.zeros((300, 41, 41, 1), "float32")
    spot[:, 19:22, 29:32] = 1 / 9  # ten pixels to the right of the middle
    middle = np.arange(41) - 20.0

    def seen(**option):
        found = AUGMENT["affine"](tf.constant(spot), 0, [3, 4], option)[0].numpy()[..., 0]
        mass = found.sum((1, 2))
        return (found.sum(1) @ middle) / mass, (found.sum(2) @ middle) / mass, mass

    right, down, mass = seen(rotation=30)
    np.testing.assert_allclose(np.hypot(right, down), 10, atol=0.05)
    np.testing.assert_allclose(mass, 1, atol=0.05)
    angles = np.degrees(np.arctan2(down, right))
    assert 28 < angles.max() <= 30.2 and -30.2 <= angles.min() < -28
    right, down, mass = seen(zoom=(0.5, 2.0))
    assert 4.8 < right.min() < 5.6 and 18 < right.max() < 20.2 and np.abs(down).max() < 0.01
    heights = mass / (right / 10)  # the area is that of both factors, which are drawn apart
    assert heights.min() < 0.6 and heights.max() > 1.6 and abs(np.corrcoef(right, heights)[0, 1]) < 0.3
    right, down, _ = seen(shift=4)
    assert 3.8 < np.abs(right - 10).max() <= 4.01 and 3.8 < np.abs(down).max() <= 4.01


@pytest.mark.parametrize(
    ("augment", "said"),
    [
        ({"affine": 10}, "augment affine is 10; expected some of rotation, slant, zoom, shift"),
        ({"affine": {"turn": 1}}, "there is no option of affine 'turn'"),
        ({"affine": {"zoom": 2}}, "zoom of affine is 2; expected two factors"),
        ({"affine": {"zoom": (1.2, 0.8)}}, "expected two factors"),
        ({"affine": {"rotation": -1}}, "rotation of affine is -1; expected a number of at least 0"),
        ({"shift": -3}, "augment shift is -3; expected pixels, a whole number of at least 0"),
        ({"crop": "big"}, "augment crop is 'big'; expected two fractions of the area"),
        ({"crop": (0.0, 1.0)}, "expected two fractions of the area"),
        ({"flip": "yes"}, "augment flip is 'yes'; expected True, or 'both'"),
        ({"stroke": 0.7}, "augment stroke is 0.7; expected a probability from 0 to 0.5"),
    ],
)
def test_what_augmentations_do_not_take_is_one_line(augment, said, tmp_path):
    with pytest.raises(zoo.UsageError, match=re.escape(said)) as caught:
        zoo.train("mlp", augment=augment, epochs=1, run=tmp_path / "run", verbose=0)
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_slant_and_stroke_by_hand():
    line = np.zeros((200, 9, 9, 1), "float32")
    line[:, :, 4] = 1
    leaning = AUGMENT["affine"](tf.constant(line), 0, [1, 2], {"slant": 0.5})[0].numpy()[..., 0]
    assert np.allclose(leaning.sum(2), 1) and np.allclose(leaning[:, 4, 4], 1), "the middle row stays"
    places = leaning @ np.arange(9)  # (images, rows): where the line is
    assert np.allclose(places - 4, (places[:, :1] - 4) * (1 - np.arange(9) / 4), atol=1e-5), "straight"
    assert 1.8 < np.abs(places[:, 0] - 4).max() <= 2 and abs(places[:, 0].mean() - 4) < 0.3
    widths = AUGMENT["stroke"](tf.constant(line), 0, [1, 2], 0.25)[0].numpy()[:, 4].sum((1, 2))
    assert [0.15 < (widths == width).mean() < 0.65 for width in (0, 1, 3)] == [True] * 3


@pytest.mark.parametrize(
    "name, option", [("flip", True), ("flip", "both"), ("shift", 9), ("crop", (0.2, 0.8)), ("affine", STRETCHED)]
)
def test_a_box_drawn_as_a_mask_moves_as_the_box(name, option):
    x, y = scenes()
    found, targets = AUGMENT[name](x, y, [5, 6], option)
    assert_boxes_bound_masks(targets, pixels=1.0 if name in ("crop", "affine") else 1e-4)
    assert targets["masks"].dtype == tf.int32 and set(np.unique(targets["masks"])) == {0, 7}
    differ = (np.asarray(found)[..., 0] > 100) != (np.asarray(targets["masks"]) > 0)
    assert differ.mean() < 0.01, "an image of its mask moves as the mask"


@pytest.mark.parametrize("name", ["resize", "pad", "cover", "letterbox", "ink"])
@pytest.mark.parametrize("size", [(48, 64), (12, 40), (30, 20)])
def test_a_box_drawn_as_a_mask_is_prepared_as_the_box(name, size):
    x, y = scenes()
    found = [PREPROCESS[name](tf.constant(x[n]), {key: y[key][n] for key in y}, size)[1] for n in range(len(x))]
    assert_boxes_bound_masks({key: np.stack([each[key] for each in found]) for key in y}, pixels=1.01)


@pytest.mark.parametrize(
    "name, option", [("flip", True), ("flip", "both"), ("shift", 3), ("crop", (0.4, 0.9)), ("affine", STRETCHED)]
)
def test_masks_with_channels_move_as_those_without(name, option):
    x, y = scenes()
    _, plain = AUGMENT[name](x, y, [5, 6], option)
    _, found = AUGMENT[name](x, {"masks": np.stack([y["masks"], y["masks"]], -1)}, [5, 6], option)
    np.testing.assert_array_equal(found["masks"][..., 1], plain["masks"])


@pytest.mark.parametrize(
    "name, option", [("flip", True), ("flip", "both"), ("shift", 3), ("crop", (0.4, 0.9)), ("affine", STRETCHED)]
)
def test_targets_of_clips_move_as_those_of_their_frames(name, option):
    x, y = scenes()
    _, expected = AUGMENT[name](x, y, [5, 6], option)
    clip = {key: np.repeat(value[:, None], 3, axis=1) for key, value in y.items()}
    _, found = AUGMENT[name](tf.constant(np.repeat(x[:, None], 3, axis=1)), clip, [5, 6], option)
    for time in range(3):
        np.testing.assert_array_equal(found["masks"][:, time], expected["masks"])
        np.testing.assert_array_equal(found["boxes"][:, time], expected["boxes"])
    _, still = AUGMENT[name](tf.constant(np.repeat(x[:, None], 3, axis=1)), {"boxes": y["boxes"]}, [5, 6], option)
    np.testing.assert_array_equal(still["boxes"], expected["boxes"])


def test_targets_go_with_the_frames_that_are_taken():
    clip = tf.reshape(tf.range(12.0), (12, 1, 1, 1))
    y = {"boxes": tf.range(12.0)[:, None, None] * tf.ones((1, 2, 4)), "masks": tf.reshape(tf.range(12), (12, 1, 1))}
    steps = [frames.frames(clip, y, 5), frames.loop(clip, y, 20)]
    batch = {key: value[None] for key, value in y.items()}
    for x, targets in steps:
        assert x[:, 0, 0, 0].numpy().tolist() == targets["boxes"][:, 1, 2].numpy().tolist()
        assert x[:, 0, 0, 0].numpy().tolist() == targets["masks"][:, 0, 0].numpy().tolist()
    for x, targets in (frames.jitter(clip[None], batch, [1, 2], 3), frames.every(clip[None], batch, 3)):
        assert x.shape[1] == 4
        assert x[0, :, 0, 0, 0].numpy().tolist() == targets["boxes"][0, :, 0, 0].numpy().tolist()
        assert x[0, :, 0, 0, 0].numpy().tolist() == targets["masks"][0, :, 0, 0].numpy().tolist()


@pytest.mark.parametrize(
    "name, option", [("flip", True), ("flip", "both"), ("shift", 3), ("crop", (0.4, 0.9)), ("affine", STRETCHED)]
)
def test_other_targets_stay_and_change_nothing(name, option):
    x, y = scenes()
    alone, label = AUGMENT[name](x, 5, [5, 6], option)
    beside, targets = AUGMENT[name](x, {**y, "label": 5}, [5, 6], option)
    assert label == 5 and targets["label"] == 5
    np.testing.assert_array_equal(alone, beside)


# In the pipeline


def batched(targets=None):
    x, y = scenes()
    return tf.data.Dataset.from_tensor_slices((x, y if targets is None else targets)).batch(16)


def run(augment, targets=None):
    finished = pipeline.finished(with_draws(batched(targets), 3), scaling=SAME, augment=augment)
    return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *finished.as_numpy_iterator())


def test_several_augmentations_carry_boxes_and_masks_through():
    x, y = run({"shift": 4, "flip": True, "crop": (0.5, 1.0)})
    assert x.shape == (48, HEIGHT, WIDTH, 1) and y["boxes"].shape == (48, 2, 4)
    assert_boxes_bound_masks(y, pixels=1.0)


CONSTANT = {"fill_mode": "constant"}
OPTIONS = {
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3, **CONSTANT},
    "RandomZoom": {"height_factor": 0.3, "width_factor": 0.3, **CONSTANT},
    "RandomRotation": {"factor": 0.1, **CONSTANT},
    "RandomShear": {"x_factor": 0.2, "y_factor": 0.2, **CONSTANT},
    "RandomPerspective": {"factor": 1.0, "scale": 0.2},
}


@pytest.mark.parametrize("word", [word for word, keys in GEOMETRIC_LAYERS.items() if "boxes" in keys])
def test_layers_of_keras_that_take_boxes_along(word):
    _, y = run({word: OPTIONS[word]})
    assert y["masks"].dtype == np.int32
    assert_boxes_bound_masks(y, pixels=1.01)


@pytest.mark.parametrize("word", [word for word, keys in GEOMETRIC_LAYERS.items() if "masks" in keys])
def test_layers_of_keras_that_take_masks_along(word):
    _, targets = scenes()
    x, y = run({word: OPTIONS[word]}, {"masks": targets["masks"]})
    assert not np.array_equal(y["masks"], targets["masks"]) and set(np.unique(y["masks"])) <= {0, 7}
    assert ((x[..., 0] > 100) != (y["masks"] > 0)).mean() < 0.02
    alone, _ = run({word: OPTIONS[word]}, np.zeros(48, "int32"))
    np.testing.assert_array_equal(x, alone)


@pytest.mark.parametrize("word", ["RandomBrightness", "RandomErasing"])
def test_layers_of_keras_that_move_nothing(word):
    _, targets = scenes()
    x, y = run({word: {"factor": 0.5}})
    assert not np.array_equal(x, scenes()[0])
    np.testing.assert_array_equal(y["boxes"], targets["boxes"])
    np.testing.assert_array_equal(y["masks"], targets["masks"])


@pytest.mark.parametrize(
    ("augment", "says"),
    [
        ({"RandomRotation": {"factor": 0.1}}, "RandomRotation does not take boxes along rightly; expected one of Rand"),
        ({"RandAugment": {}}, "RandAugment does not take boxes and masks along rightly"),
        ({"RandomZoom": {"height_factor": 0.1}}, "RandomZoom fills with parts of the image, .* fill_mode='constant'"),
        ({"RandomZoom": {"height_factor": 0.1, **CONSTANT, "fill_value": 9.0}}, "expected .* fill_value=0"),
    ],
)
def test_what_would_leave_boxes_behind_is_refused(augment, says):
    with pytest.raises(zoo.UsageError, match=says) as error:
        pipeline.finished(with_draws(batched(), 3), scaling=SAME, augment=augment)
    assert "\n" not in str(error.value)
    pipeline.finished(with_draws(batched(np.zeros(48)), 3), scaling=SAME, augment=augment)  # images alone may


def test_every_layer_of_keras_has_a_kind_and_can_be_made():
    import keras

    from zoo.data.image.keras_layers import build

    assert set(AUGMENT_LAYERS) == {*COLOUR_LAYERS, *GEOMETRIC_LAYERS}
    assert all(issubclass(getattr(keras.layers, word), keras.Layer) for word in AUGMENT_LAYERS)
    assert build("AutoContrast", {}) and build("Equalization", {}), "they draw nothing"


# Targets of several heads


def test_a_data_module_of_several_targets():
    x, y = scenes(60)
    targets = {**y, "label": np.arange(60) % 3}

    def split(text):
        return tf.data.Dataset.from_tensor_slices((x.astype("uint8"), targets))

    card = zoo.info("lenet5")
    recipe = zoo.records.replace(
        card.recipe("demo"), preprocess={"resize": (16, 16)}, augment={"flip": True, "shift": 2}, batch_size=16
    )
    data = ArrayDataModule.adapt(card, recipe, Source("scenes", (), split))
    assert data.examples == {"train": 60, "validation": 60, "test": 60}
    inputs, found = data.arrays("test")
    assert inputs.shape == (60, 16, 16, 1) and found["masks"].shape == (60, 16, 16)
    np.testing.assert_array_equal(data.targets("test")["label"], targets["label"])
    batches = list(data.batches("train", training=True).as_numpy_iterator())
    assert sum(len(y["label"]) for _, y in batches) == 60
    for _, moved in batches:
        assert_boxes_bound_masks(moved, pixels=1.01)


@pytest.mark.parametrize("boxes", [[[0, 0, 3, 4]], [[0.5, 0.5, 0.2, 0.9]], [[0.1, 0.2, 0.3]], [[-0.1, 0, 1, 1]]])
def test_boxes_that_are_no_fractions_are_refused(boxes):
    with pytest.raises(zoo.UsageError, match=r"boxes of it \(train\) are not \(n, 4\) fractions .*: divide by width"):
        check_boxes(np.array(boxes, "float32"), Source("it", (), None), "train")
