"""Faster R-CNN: equal to torchvision's, of which `benchmarks/torchvision_two_stage.py` has recorded one with an eighth
of the channels. That of full size was not compared."""

import keras
import numpy as np
import pytest
import state_dicts
from box_scenes import blocks, recorded, rows_of_things, truths
from keras import ops
from weight_files import randomise, save_legacy, save_state_safetensors

import zoo
from zoo.boxes.rows import corners
from zoo.decoding.detections import detections
from zoo.losses import RegionBoxes, RegionProposals
from zoo.models.rcnn import faster_rcnn_resnet50_fpn
from zoo.preprocessing import PIXELS

RECORDED, NARROW = recorded("torchvision_faster_rcnn")
SIDE = RECORDED["side"]
SMALL = {"input_shape": (64, 64, 3), "num_classes": 2, "blocks": (1, 1, 1, 1), "width": 8, "channels": 8, "units": 8}
LAYERS = {
    "objectness": "rpn_all_objectness",
    "deltas": "rpn_all_offsets",
    "proposals": "regions",
    "logits": "classes",
    "offsets": "offsets",
}


@pytest.fixture(scope="module")
def state():
    return state_dicts.numbers([(key, tuple(shape)) for key, shape in RECORDED["shapes"]], RECORDED["gain"])


@pytest.fixture(scope="module")
def model(state, tmp_path_factory):
    path = save_state_safetensors(state, tmp_path_factory.mktemp("rcnn") / "rcnn.safetensors")
    return zoo.build("faster_rcnn_resnet50_fpn", weights=path, preprocessing="torch", **NARROW)


def scaled(images):
    pixels = PIXELS["torch"]
    return ((images - np.float32(pixels.mean)) / np.float32(pixels.std)).astype("float32")


@pytest.fixture(scope="module")
def said(model):
    """Of two images, by the names of the record, what the stages say; and the rows of the detections."""
    inner = keras.Model(
        model.input, [*(model.get_layer(each).output for each in LAYERS.values()), model.output["detections"]]
    )
    *found, rows = inner.predict_on_batch(scaled(blocks(2, SIDE)))
    anchors = ops.convert_to_numpy(corners(model.get_layer("anchors").anchors))[None]
    return {**dict(zip(LAYERS, found)), "anchors": anchors}, rows


@pytest.mark.parametrize("key", [*LAYERS, "anchors"])
def test_stages_say_what_torchvisions_say(said, key):
    """Every so manieth row as recorded, and the sum over all."""
    found = said[0][key].astype("float64") * (SIDE if key in ("proposals", "anchors") else 1)
    every = found[:, :: RECORDED["every"][key]].reshape(-1, found.shape[-1])
    tolerance = 1e-4 * max(1.0, np.abs(found).max())
    np.testing.assert_allclose(every, RECORDED["rows"][key], rtol=0, atol=tolerance)
    assert np.abs(found).sum() == pytest.approx(RECORDED["sums"][key], rel=1e-5)


def test_what_is_found_is_what_torchvision_finds(said):
    found = detections(said[1][..., :-1], score=0.05, iou=0.5, max_boxes=100, candidates=800)
    assert len(found) == len(RECORDED["found"])
    for ours, theirs in zip(found, RECORDED["found"]):
        labels, boxes = np.array(theirs["labels"]), np.array(theirs["boxes"]) / SIDE
        apart = np.abs(ours.boxes[:, None] - boxes[None]).max(-1) + (ours.classes[:, None] + 1 != labels[None])
        same = apart.argmin(axis=1)  # two of nearly one score may change places
        assert sorted(same) == [*range(len(labels))] and len({*theirs["labels"]}) > 1
        assert apart.min(axis=1).max() < 1e-4
        np.testing.assert_allclose(ours.scores, np.array(theirs["scores"])[same], rtol=0, atol=1e-4)
        np.testing.assert_allclose(ours.scores, theirs["scores"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("seed", range(len(RECORDED["losses"])))
def test_losses_are_torchvisions(model, seed):
    """With all anchors and all proposals drawn; of two images with one to six boxes each."""
    things = rows_of_things(*truths(2, seed=seed))
    rows = model.predict_on_batch(scaled(blocks(2, SIDE, seed)))  # compiled: a loop over boxes takes its time
    theirs = RECORDED["losses"][seed]
    stages = (
        (RegionProposals(samples=10**6), "proposals", "objectness", "deltas"),
        (RegionBoxes(), "detections", "logits", "offsets"),
    )
    for loss, head, *names in stages:
        *sums, count = (ops.convert_to_numpy(each).sum() for each in loss.parts(things, rows[head]))
        assert [each / count for each in sums] == pytest.approx([theirs[name] for name in names], rel=1e-4)
        assert float(loss(things, rows[head])) == pytest.approx(sum(theirs[name] for name in names), rel=1e-4)


def test_levels_anchors_and_parameters_are_those_of_the_papers():
    with keras.StatelessScope(initialize_variables=False):
        full = faster_rcnn_resnet50_fpn()
    keras.utils.clear_session(free_memory=False)
    sides = [200, 100, 50, 25, 13]
    assert [full.get_layer(f"pyramid{level}").output.shape[1:] for level in range(2, 7)] == [
        (side, side, 256) for side in sides
    ]
    assert full.get_layer("anchors").anchors.shape == (3 * sum(side**2 for side in sides), 4) == (159_882, 4)
    assert full.get_layer("roi_align").output.shape == (None, 1000, 7, 7, 256)
    assert sum(int(np.prod(each.shape)) for each in full.trainable_weights) == 41_755_286


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(zoo.UsageError, match="proposals is 0; expected a whole number of at least 1"):
        faster_rcnn_resnet50_fpn(input_shape=(64, 64, 3), proposals=0)
    with pytest.raises(zoo.UsageError, match=r"\(100, 96, 3\); expected sides that are multiples of 32"):
        faster_rcnn_resnet50_fpn(input_shape=(100, 96, 3))
    with pytest.raises(zoo.UsageError, match=r"sides of .* are \(8, 16\); expected 5, one for each level"):
        faster_rcnn_resnet50_fpn(sides=(8, 16))


def test_the_names_of_the_published_files_are_known(state, model, tmp_path):
    """They were written before torchvision put these convolutions into lists."""
    old = {
        key.replace("rpn.head.conv.0.0.", "rpn.head.conv.").replace("_blocks.0.0.", "_blocks.0."): value
        for key, value in state.items()
    }
    assert old.keys() != state.keys()
    path = save_state_safetensors(old, tmp_path / "old.safetensors")
    other = zoo.build("faster_rcnn_resnet50_fpn", weights=path, preprocessing="torch", **NARROW)
    for ours, theirs in zip(other.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_the_backbone_takes_what_a_classifier_has_learned(tmp_path):
    """A ResNet without its top, of this network's options: bit for bit, and the rest is fresh."""
    how = {"input_shape": (64, 64, 3), "blocks": (1, 1, 1, 1), "width": 8}
    body = randomise(zoo.build("resnet50", top=False, **how))
    path = save_legacy(body, tmp_path / "a.h5")
    model = zoo.build("faster_rcnn_resnet50_fpn", **SMALL, stride_in="1x1", use_bias=True)
    report = zoo.load_weights(model, path)
    assert len(report.loaded) == len(body.weights)
    assert set(report.new.values()) == {"built upon the backbone, which the file has alone"}
    np.testing.assert_array_equal(
        model.get_layer("conv5_block1_3_bn").get_weights()[3], body.get_layer("conv5_block1_3_bn").get_weights()[3]
    )
    with pytest.raises(zoo.UsageError, match="is of another network"):
        zoo.build("faster_rcnn_resnet50_fpn", **SMALL, weights=path, preprocessing="torch")


def test_another_number_of_classes_keeps_all_but_the_classes(state, tmp_path):
    path = save_state_safetensors(state, tmp_path / "rcnn.safetensors")
    report = zoo.load_weights(zoo.build("faster_rcnn_resnet50_fpn", **{**NARROW, "num_classes": 2}), path)
    assert {name.split("/")[0] for name in report.new} == {"classes", "offsets"}


def test_the_norms_stay_as_they_are_unless_asked_for():
    frozen, free = (zoo.build("faster_rcnn_resnet50_fpn", **SMALL, frozen_norm=each) for each in (True, False))
    names = [each.path for each in frozen.trainable_weights]
    assert not [name for name in names if "_bn/" in name] and "conv1_conv/kernel" in names
    assert [each.path for each in free.trainable_weights if "_bn/gamma" in each.path]


# The draw


def test_so_many_are_drawn_and_at_most_a_share_of_them_tells_of_things():
    rng = np.random.default_rng(0)
    order = rng.random((2, 100)).astype("float32")
    has, empty = np.zeros((2, 2, 100), bool)
    has[0, :20], has[1, :3], empty[:, 30:] = True, True, True
    rows = [ops.convert_to_tensor(each) for each in (has, empty, order)]
    full, rest = (ops.convert_to_numpy(each) > 0 for each in RegionProposals(samples=16).drawn(*rows))
    assert full.sum(1).tolist() == [8, 3] and rest.sum(1).tolist() == [8, 13]
    assert not (full & ~has).any() and not (rest & ~empty).any()
    assert order[0][full[0]].min() > order[0][has[0] & ~full[0]].max(), "the largest come first"


def test_lots_are_new_in_each_step_of_training_alone():
    model = zoo.build("faster_rcnn_resnet50_fpn", **SMALL, proposals=8)
    x = np.zeros((2, 64, 64, 3), "float32")

    def lots(training):
        return [ops.convert_to_numpy(each)[..., -1] for each in model(x, training=training).values()]

    detected, proposed = lots(True)
    assert (detected == detected[:, :, :1]).all(), "one for all classes"
    assert np.unique(proposed).size > 0.99 * proposed.size and not np.array_equal(proposed[0], proposed[1])
    assert not np.array_equal(lots(True)[1], proposed)
    for first, again in zip(lots(False), lots(False)):
        np.testing.assert_array_equal(first, again)
        assert first.min() >= 0 and first.max() < 1


def test_what_is_not_to_be_learned_from_is_not_told_to_be_empty():
    box = [0.3, 0.3, 0.2, 0.2]
    rows = np.float32([[[*box, *box, 0, 3, 0.5], [0.8, 0.8, 0.2, 0.2, 0.8, 0.8, 0.2, 0.2, 0, -3, 0.2]]])
    classes = np.stack([rows, rows], axis=2)[..., [*range(8), 9, 10]]
    for difficult, drawn in ((0, 2), (1, 1)):
        things = np.float32([[[0.2, 0.2, 0.4, 0.4, 0, difficult]]])
        assert float(RegionProposals().parts(things, rows)[2][0]) == drawn
        assert float(RegionBoxes().parts(things, classes)[2][0]) == drawn


def test_a_missing_proposal_is_neither_learned_nor_found():
    model = zoo.build("faster_rcnn_resnet50_fpn", **SMALL, proposals=300)  # anchors of 32 pixels and more, with doubles
    rows = model.predict_on_batch(np.ones((1, 64, 64, 3), "float32"))["detections"]
    absent = rows[0, :, 0, 6] * rows[0, :, 0, 7] == 0
    assert 0 < absent.sum() < 300
    things = np.float32([[[0.2, 0.2, 0.4, 0.4, 0, 0]]])
    assert float(RegionBoxes().parts(things, rows)[2][0]) == (~absent).sum()
    found = detections(rows[..., :-1], score=0.0, max_boxes=100)[0]
    assert len(found.boxes) and (found.boxes[:, 2:] > found.boxes[:, :2]).all()
