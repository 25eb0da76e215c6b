"""Masks of things: kept inside of their boxes, compared pixel by pixel, and drawn into any image."""

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo import tasks
from zoo.data.builtin.shape_instances import ShapeInstances
from zoo.data.image.coco_masks import of_runs
from zoo.data.image.instances import masks_of, shown
from zoo.decoding.instances import in_image
from zoo.metrics.detection import Detections, Truth, average_precision
from zoo.records import replace
from zoo.tasks._things import Things
from zoo.tasks.instance_segmentation import coloured, mask_overlaps


def rows_of(numbers, boxes, side=56):
    """What the data module makes of one image."""
    import tensorflow as tf

    masks = masks_of(tf.constant(numbers[None]), tf.constant(boxes[None].astype("float32")), side)[0].numpy()
    things = np.zeros((len(boxes), 6), "float32")
    things[:, :4] = boxes
    return np.concatenate([things, masks.reshape(len(boxes), -1)], axis=1)


def test_a_mask_in_its_box_is_the_mask_in_the_image():
    """Of scenes with shapes in front of others: of all pixels whose middle is in the box."""
    rng = np.random.default_rng(0)
    maker = ShapeInstances
    for _ in range(5):
        kinds, boxes = maker.scene(maker, rng)
        numbers = maker.instances(maker, kinds, boxes).astype("int32")
        rows = rows_of(numbers, np.stack(boxes) / (4 * maker.SIZE))
        found = shown(rows, (maker.SIZE, maker.SIZE))
        middles = np.arange(maker.SIZE) + 0.5
        for number, (mask, box) in enumerate(zip(found, boxes), start=1):
            across, down = ((middles >= box[axis] / 4) & (middles < box[axis + 2] / 4) for axis in (0, 1))
            np.testing.assert_array_equal(mask, (numbers == number) & down[:, None] & across)


def test_what_left_the_image_has_no_mask():
    rows = rows_of(np.ones((8, 8), "int32"), np.zeros((1, 4)))
    assert shown(rows, (8, 8)).sum() == 0


def test_average_precision_of_masks_by_hand():
    """The boxes are the same, the masks are not: one of two is found."""
    truth = Truth(np.float32([[0, 0, 1, 1], [0, 0, 1, 1]]), np.array([0, 0]))
    found = Detections(truth.boxes, np.array([0, 0]), np.array([0.9, 0.8]))
    true = np.zeros((2, 4, 4), bool)
    true[0, :2], true[1, 2:] = True, True
    overlaps = mask_overlaps(np.stack([true[0], true[0] | true[1]]), true)
    np.testing.assert_allclose(overlaps, [[1, 0], [0.5, 0.5]])
    assert average_precision([truth], [found], 1, given=[overlaps])[0, 5] == pytest.approx(51 / 101)
    assert average_precision([truth], [found], 1)[0, 5] == 1.0


def test_where_nothing_is_found_or_shown_nothing_overlaps():
    nothing, one = np.zeros((0, 4, 4), bool), np.ones((1, 4, 4), bool)
    assert mask_overlaps(nothing, one).shape == (0, 1) and mask_overlaps(one, nothing).shape == (1, 0)
    assert mask_overlaps(nothing, nothing).shape == (0, 0)
    assert in_image(np.zeros((0, 28, 28)), np.zeros((0, 4)), (4, 4)).shape == (0, 4, 4)


def test_masks_in_an_image_and_its_colours():
    masks = in_image(np.ones((1, 28, 28)), np.float32([[0.25, 0.25, 0.75, 0.75]]), (16, 16))
    assert masks.shape == (1, 16, 16) and masks[0, 4:12, 4:12].all() and masks[0, :3].sum() == masks[0, 14:].sum() == 0
    image = np.zeros((16, 16, 3))
    assert coloured(image, masks, [1])[8, 8].any() and not coloured(image, masks, [-1]).any()


def test_a_record_with_masks_by_hand(tmp_path):
    """Pixels, runs as COCO has them (pycocotools reads the same), a row of a table and a picture."""
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 1:3, :2], masks[1, 0, 0] = True, True
    boxes = np.array([[0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 1.0, 1.0]])
    found = Things("a.png", (4, 6), ("cat", "dog"), np.array([0.9, 0.5]), boxes, 0.25, masks)
    assert str(found).splitlines()[1:] == [
        "  cat 90.0% from 0,1 to 2,3, 4 pixels",
        "  dog 50.0% from 0,0 to 1,1, 1 pixels",
    ]
    cat, dog = found.as_dict()["things"]
    assert cat["mask"] == {"size": [4, 6], "counts": [1, 2, 2, 2, 17]}
    assert dog["mask"] == {"size": [4, 6], "counts": [0, 1, 23]} and dog["pixels"] == 1
    assert found.as_rows()[0] == {
        "input": "a.png", "label": "cat", "score": "0.9", "left": "0.0", "top": "1.0", "right": "2.0", "bottom": "3.0",
        "pixels": "4",
    }  # fmt: skip
    assert found.drawn(np.zeros((4, 6, 3)), ["dog", "cat"], tmp_path).picture.name == "a-masks.png"
    mask = pytest.importorskip("pycocotools.mask")
    for thing, expected in ((cat, masks[0]), (dog, masks[1])):
        np.testing.assert_array_equal(mask.decode(mask.frPyObjects(thing["mask"], 4, 6)), expected)


@pytest.mark.slow
def test_from_a_recipe_to_masks_on_an_image(data_dir, tmp_path):
    recipe = replace(
        zoo.info("mask_rcnn_resnet50_fpn").recipe("demo"),
        train="train[:16]", validation="validation[:8]", test="test[:8]", epochs=1, batch_size=8,
        model={
            "blocks": (1, 1, 1, 1), "width": 8, "channels": 8, "units": 16, "sides": (8, 12, 16, 24, 32),
            "proposals": 8, "masks": 4, "frozen_norm": False,
        },
    )  # fmt: skip
    how = dict(run=tmp_path / "run", data_dir=data_dir, verbose=0)
    run = zoo.train("mask_rcnn_resnet50_fpn", recipe, **how)
    metrics = {"loss", "mask_map50", "mask_map75", "mask_map", "map50", "map75", "map"}
    assert set(run.metrics) == metrics and 0 <= run.results["baselines"]["mean boxes"] < 1
    for figure in ("masks.png", "boxes.png", "errors.png"):
        assert (run.path / figure).stat().st_size > 50
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), "uint8")).save(photo)
    lines = zoo.predict(run, photo, folder=tmp_path / "out", score=0.0)
    assert lines[0].startswith(f"{photo}: ") and all(line.endswith(" pixels") for line in lines[1:-1])
    assert lines[-1].startswith("  with its masks: ") and (tmp_path / "out" / "photo-masks.png").is_file()
    (found,) = zoo.load(run)(photo, score=0.0)
    assert str(found).splitlines() == lines[:-1]
    thing, mask = found.as_dict()["things"][0], found.masks[0]
    np.testing.assert_array_equal(of_runs(thing["mask"]), mask)
    assert thing["pixels"] == mask.sum() == int(found.as_rows()[0]["pixels"])
    with pytest.raises(zoo.UsageError, match=r"iou is 0\.3; expected 0\.5"):
        zoo.load(run)(photo, iou=0.3)


@pytest.mark.slow
def test_a_data_set_without_masks_is_refused(data_dir, tmp_path):
    recipe = replace(zoo.info("mask_rcnn_resnet50_fpn").recipe("demo"), dataset="shapes:1.0.0")
    with pytest.raises(zoo.UsageError, match="does not say which pixels show its things"):
        zoo.train("mask_rcnn_resnet50_fpn", recipe, run=tmp_path / "run", data_dir=data_dir, verbose=0)


def test_the_task_is_found_by_its_name():
    assert tasks.get("instance_segmentation").metric == "mask_map50"
