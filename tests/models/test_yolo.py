"""YOLO: the published counts, and boxes that stay in their cells."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from zoo.boxes import rows
from zoo.boxes.anchors import grid_anchors
from zoo.decoding.detections import Suppression, detections, with_suppression
from zoo.errors import UsageError
from zoo.layers.grid_boxes import GridBoxes


def outline(name, **options):
    with keras.StatelessScope(initialize_variables=False):
        model = zoo.builder(name)(**options)
    keras.utils.clear_session(free_memory=False)
    return model


def numbers(model):
    return sum(int(np.prod(weight.shape)) for weight in model.weights)


@pytest.mark.parametrize(
    ("name", "classes", "published"),
    [
        ("yolo_v2", 80, (203_934_260 - 16) // 4),  # yolov2.weights of COCO: a head of 16 bytes, then float32
        ("yolo_v2_tiny", 20, (63_471_556 - 16) // 4),  # tiny-yolo-voc.weights
    ],
)
def test_as_many_numbers_as_in_the_authors_files(name, classes, published):
    assert numbers(outline(name, num_classes=classes)) == published


def test_layers_are_those_of_the_paper():
    """Table 6 of YOLO9000, and what section 2 puts in the place of its last convolution."""
    model = outline("yolo_v2")
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    main = [(each.filters, each.kernel_size[0], each.output.shape[1]) for each in convolutions]
    main = [each for each, own in zip(main, convolutions) if own.name != "passthrough"]
    assert main[:13] == [
        (32, 3, 416), (64, 3, 208), (128, 3, 104), (64, 1, 104), (128, 3, 104), (256, 3, 52), (128, 1, 52),
        (256, 3, 52),
        (512, 3, 26), (256, 1, 26), (512, 3, 26), (256, 1, 26), (512, 3, 26),
    ]  # fmt: skip
    assert main[13:] == [
        (1024, 3, 13), (512, 1, 13), (1024, 3, 13), (512, 1, 13), (1024, 3, 13), (1024, 3, 13), (1024, 3, 13),
        (1024, 3, 13), (425, 1, 13),
    ]  # fmt: skip
    assert model.get_layer("both").output.shape[1:] == (13, 13, 1280)


def test_squares_go_into_depth_and_keep_their_place():
    from zoo.models.yolo import into_depth

    image = keras.Input((4, 4, 2))
    x = np.arange(32.0).reshape(1, 4, 4, 2)
    found = ops.convert_to_numpy(keras.Model(image, into_depth(image))(x))
    assert found.shape == (1, 2, 2, 8)
    assert found[0, 1, 0].tolist() == x[0, 2:4, 0:2].ravel().tolist()


def test_a_box_never_leaves_its_cell_and_starts_as_its_anchor():
    sizes = [(1.0, 2.0), (3.0, 0.5)]
    layer = GridBoxes(sizes, prior=0.01)
    zeros = ops.convert_to_numpy(layer(np.zeros((1, 2, 3, 2 * 8), "float32")))
    np.testing.assert_allclose(zeros[0, :, :4], grid_anchors(2, 3, sizes).reshape(-1, 4), atol=1e-6)
    np.testing.assert_allclose(zeros[..., :4], zeros[..., 4:8], atol=1e-6)
    np.testing.assert_allclose(np.exp(zeros[0, 0, 8:]), [0.99, 0.01 / 3, 0.01 / 3, 0.01 / 3], rtol=1e-4)
    wild = np.random.default_rng(0).normal(scale=30, size=(4, 2, 3, 16)).astype("float32")
    found = ops.convert_to_numpy(layer(wild)).reshape(4, 2, 3, 2, 12)
    assert np.isfinite(found).all()
    for row in range(2):
        for column in range(3):
            x, y = found[:, row, column, :, 0] * 3, found[:, row, column, :, 1] * 2
            assert (x >= column - 1e-5).all() and (x <= column + 1 + 1e-5).all()
            assert (y >= row - 1e-5).all() and (y <= row + 1 + 1e-5).all()
    np.testing.assert_allclose(np.exp(found[..., 8:]).sum(-1), 1, rtol=1e-4)


def test_sides_that_the_grid_does_not_fill_are_refused():
    with pytest.raises(UsageError, match=r"\(100, 96, 3\); expected multiples of 32"):
        zoo.build("yolo_v2", input_shape=(100, 96, 3))


def said(boxes, probabilities):
    """Rows of one image: left, top, right, bottom, and the probabilities of the background and the classes."""
    boxes = ops.convert_to_numpy(rows.centres(np.float32(boxes)))
    return np.concatenate([boxes, boxes, np.log(np.float32(probabilities))], axis=1)[None]


@pytest.mark.slow
def test_suppression_leaves_one_box_for_each_thing():
    boxes = [[0, 0, 0.5, 0.5], [0.02, 0, 0.5, 0.5], [0, 0, 0.5, 0.48], [0.6, 0.6, 1.2, 1.0]]
    chances = [[0.1, 0.8, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7], [0.4, 0.6, 1e-6]]
    (found,) = detections(said(boxes, chances), score=0.3)
    assert found.classes.tolist() == [0, 1, 0]
    assert found.scores == pytest.approx([0.8, 0.7, 0.6], abs=1e-5)
    np.testing.assert_allclose(found.boxes[2], [0.6, 0.6, 1.0, 1.0], atol=1e-5)  # cut off at the edge
    (all_of_them,) = detections(said(boxes, chances), score=0.3, iou=1.0)
    assert len(all_of_them.classes) == 4
    (none,) = detections(said(boxes, chances), score=0.9)
    assert none.boxes.shape == (0, 4)
    with pytest.raises(UsageError, match="score is 30; expected a number from 0 to 1"):
        Suppression(score=30)


def test_suppression_inside_of_a_saved_model(tmp_path):
    model = with_suppression(zoo.build("yolo_grid", **zoo.info("yolo_grid").tiny), score=0.0, max_boxes=4)
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype("float32")
    model.save(tmp_path / "detector.keras")
    again = keras.saving.load_model(tmp_path / "detector.keras", safe_mode=True)
    expected = model.predict(x, verbose=0)
    for key, value in again.predict(x, verbose=0).items():
        np.testing.assert_allclose(value, expected[key], atol=1e-5)
    assert expected["boxes"].shape == (2, 4, 4) and (expected["classes"] >= 0).any()
