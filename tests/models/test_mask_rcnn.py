"""Mask R-CNN: equal to torchvision's, of which `benchmarks/torchvision_two_stage.py` has recorded one with an eighth of
the channels. That of full size was not compared."""

import keras
import numpy as np
import pytest
import state_dicts
from box_scenes import blocks, recorded, rows_of_things, truths
from keras import ops
from weight_files import save_state_safetensors

import zoo
from zoo.boxes.masks import boxes_of, masks_within, pasted
from zoo.decoding.instances import instances
from zoo.layers.mask_rows import MaskBoxes
from zoo.losses import RegionMasks
from zoo.models.mask_rcnn import mask_rcnn_resnet50_fpn
from zoo.preprocessing import PIXELS

RECORDED, NARROW = recorded("torchvision_mask_rcnn")
SIDE = RECORDED["side"]
SMALL = {"input_shape": (64, 64, 3), "num_classes": 2, "blocks": (1, 1, 1, 1), "width": 8, "channels": 8, "units": 8}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    state = state_dicts.numbers([(key, tuple(shape)) for key, shape in RECORDED["shapes"]], RECORDED["gain"])
    return state, save_state_safetensors(state, tmp_path_factory.mktemp("mask_rcnn") / "mask_rcnn.safetensors")


def built(path, **options):
    return zoo.build("mask_rcnn_resnet50_fpn", weights=path, preprocessing="torch", **NARROW, **options)


@pytest.fixture(scope="module")
def found(file):
    """Of two images, what is found with its masks."""
    return instances(built(file[1]).predict_on_batch(scaled(blocks(2, SIDE)))["masks"])


def scaled(images):
    pixels = PIXELS["torch"]
    return ((images - np.float32(pixels.mean)) / np.float32(pixels.std)).astype("float32")


@pytest.mark.parametrize("image", [0, 1])
def test_what_is_found_and_its_masks_are_torchvisions(found, image):
    """Boxes, scores and classes; the masks inside of the boxes, and pasted into the image."""
    (ours, masks), theirs, every = found[image], RECORDED["found"][image], RECORDED["every"]
    labels, boxes = np.array(theirs["labels"]), np.array(theirs["boxes"]) / SIDE
    apart = np.abs(ours.boxes[:, None] - boxes[None]).max(-1) + (ours.classes[:, None] + 1 != labels[None])
    same = apart.argmin(axis=0)  # two of nearly one score may change places
    assert sorted(same) == [*range(len(labels))] and apart.min(axis=0).max() < 1e-4
    np.testing.assert_allclose(ours.scores[same], theirs["scores"], rtol=0, atol=1e-4)
    masks = masks[same]
    some = masks[:: every["detections"]].reshape(-1, 28 * 28)[:, :: every["places"]]
    np.testing.assert_allclose(some, theirs["masks"], rtol=0, atol=1e-4)
    assert np.std(theirs["masks"]) > 0.01, "masks that tell nothing"
    np.testing.assert_allclose(masks.sum((1, 2)), theirs["sums"], rtol=1e-4)

    whole = np.stack([pasted(mask, box, (SIDE, SIDE)) for mask, box in zip(masks, ours.boxes[same] * SIDE)])
    some = whole[:: every["detections"]].reshape(-1, SIDE * SIDE)[:, :: every["pixels"]]
    np.testing.assert_allclose(some, theirs["pasted"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(whole.sum((1, 2)), theirs["pasted_sums"], rtol=1e-4, atol=1e-3)


@pytest.mark.slow
def test_the_loss_is_torchvisions_but_for_the_edges_of_masks(file):
    """Of all proposals that tell of a thing; torchvision sees true masks pixel by pixel, we in places of their box."""
    model = built(file[1], masks=NARROW["proposals"])
    for seed, theirs in enumerate(RECORDED["losses"]):
        boxes, labels = truths(2, seed=seed)
        things = rows_of_things([np.round(each * SIDE) / SIDE for each in boxes], labels)
        things = np.concatenate([things, np.ones((*things.shape[:2], 56 * 56), "float32")], axis=-1)
        rows = model(scaled(blocks(2, SIDE, seed)), training=True)["masks"]
        ours = ops.convert_to_numpy(RegionMasks()(things, rows))
        assert float(ours) == pytest.approx(theirs, rel=0.02)


def test_the_names_of_the_published_files_are_known(file, tmp_path):
    """They were written before torchvision put these convolutions into lists."""
    state, path = file
    old = {
        key.replace("mask_head.0.0.", "mask_head.mask_fcn1.").replace("mask_head.3.0.", "mask_head.mask_fcn4."): value
        for key, value in state.items()
    }
    assert old.keys() != state.keys()
    other = built(save_state_safetensors(old, tmp_path / "old.safetensors"))
    for ours, theirs in zip(other.get_weights(), built(path).get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_parameters_are_those_of_torchvision():
    with keras.StatelessScope(initialize_variables=False):
        full = mask_rcnn_resnet50_fpn()
    keras.utils.clear_session(free_memory=False)
    assert sum(int(np.prod(each.shape)) for each in full.trainable_weights) == 44_401_393
    assert full.get_layer("mask_align").output.shape == (None, 100, 14, 14, 256)
    assert full.get_layer("mask_logits").output.shape == (None, 100, 28, 28, 91)


def test_no_masks_and_more_than_proposals_are_refused():
    with pytest.raises(zoo.UsageError, match="masks is 0; expected a whole number of at least 1"):
        mask_rcnn_resnet50_fpn(masks=0)
    with pytest.raises(zoo.UsageError, match="proposals is 8; expected a whole number of at least 16"):
        mask_rcnn_resnet50_fpn(masks=16, proposals=8)


# What masks are made of, and learned from


def test_masks_of_training_are_those_of_proposals_and_else_of_what_is_found():
    proposals = np.float32([[[0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9], [0.1, 0.1, 0.5, 0.49]]])
    boxes = np.concatenate([(proposals[..., :2] + proposals[..., 2:]) / 2, proposals[..., 2:] - proposals[..., :2]], -1)
    rows = np.concatenate([np.tile(boxes[:, :, None], (1, 1, 3, 2)), np.zeros((1, 3, 3, 1))], -1).astype("float32")
    rows[0, :, 2, 8] = [2.0, 5.0, 1.0]  # all of class 1, the second the surest
    layer = MaskBoxes(2, score=0.4)
    training, use = (ops.convert_to_numpy(layer([proposals, rows], training=each))[0] for each in (True, False))
    np.testing.assert_allclose(training, [[*proposals[0, 0], -1, 0], [*proposals[0, 1], -1, 0]])
    np.testing.assert_allclose(use[:, :5], [[*proposals[0, 1], 1], [*proposals[0, 0], 1]], atol=1e-6)


def test_a_region_sees_the_part_of_a_mask_that_it_covers():
    mask = np.zeros((1, 1, 8, 8), "float32")
    mask[..., 4:] = 1  # the right half of a box
    box = np.float32([[[0.2, 0.2, 0.6, 0.6]]])
    wider = np.float32([[[0.2, 0.2, 1.0, 0.6]]])  # shows the box in its left half
    found = ops.convert_to_numpy(masks_within(mask, box, wider, 4))[0, 0]
    np.testing.assert_allclose(found, [[0, 1, 0, 0]] * 4, atol=1e-6)


def test_only_the_map_of_the_true_class_is_learned_and_only_of_boxes_that_hold_a_thing():
    """By hand: a logit of 0 in every place is ln 2, whatever the mask."""
    box, far = [0.2, 0.2, 0.6, 0.6], [0.7, 0.7, 0.9, 0.9]
    truth = np.concatenate([[*box, 1.0, 0.0], np.ones(16)]).astype("float32")[None, None]
    rows = np.zeros((1, 2, 4, 4, 9), "float32")
    rows[0, 0, ..., :4], rows[0, 1, ..., :4] = box, far
    assert float(RegionMasks()(truth, rows)) == pytest.approx(np.log(2), rel=1e-5)
    rows[0, 0, ..., 6:8], rows[0, 1, ..., 6:] = 9.0, 9.0  # the background and another class; a box of nothing
    assert float(RegionMasks()(truth, rows)) == pytest.approx(np.log(2), rel=1e-5)
    rows[0, 0, :2, :, 8] = 50.0  # the upper half is right
    assert float(RegionMasks()(truth, rows)) == pytest.approx(np.log(2) / 2, rel=1e-5)
    truth[..., 5] = 1.0  # not to be learned from
    assert float(RegionMasks()(truth, rows)) == 0.0


def test_a_pasted_mask_is_cut_off_at_the_edges():
    whole = pasted(np.ones((28, 28)), np.array([-10.0, -10.0, 10.0, 10.0]), (20, 30))
    assert whole[:9, :9].min() > 0.99 and whole[12:].max() == whole[:, 12:].max() == 0
    assert pasted(np.ones((28, 28)), np.array([40.0, 40.0, 50.0, 50.0]), (20, 30)).max() == 0


def test_boxes_of_rows_are_those_of_every_place():
    model = zoo.build("mask_rcnn_resnet50_fpn", **SMALL, proposals=8, masks=4)
    rows = ops.convert_to_numpy(model(np.ones((1, 64, 64, 3), "float32"))["masks"])
    assert rows.shape == (1, 4, 28, 28, 9)
    assert (rows[..., :6] == rows[:, :, :1, :1, :6]).all() and boxes_of(rows).shape == (1, 4, 4)
