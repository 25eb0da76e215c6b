"""What torchvision's Faster R-CNN and Mask R-CNN make of images, recorded for the tests of ours.

    python benchmarks/torchvision_two_stage.py           writes tests/recorded/torchvision_faster_rcnn.json.gz and
                                                         torchvision_mask_rcnn.json.gz, of an eighth of the channels
    python benchmarks/torchvision_two_stage.py masks     the second alone

Wants torch and torchvision, an environment of its own will do. The network of full size was not compared.
"""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from torchvision.models.detection import fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn, roi_heads
from torchvision.models.detection.anchor_utils import AnchorGenerator

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import state_dicts  # noqa: E402
from box_scenes import blocks, truths  # noqa: E402

RECORDED = ROOT / "tests" / "recorded" / "torchvision_faster_rcnn.json.gz"
MASKS_RECORDED = RECORDED.with_name("torchvision_mask_rcnn.json.gz")
NARROW, CLASSES, GAIN = 8, 5, 0.75  # what the channels are divided by; with the background; of `state_dicts.numbers`
SIDE, PROPOSALS = 160, 200  # of the narrow one's images, in pixels; how many
SIDES, RATIOS = (8, 16, 32, 64, 128), (0.5, 1.0, 2.0)  # of its anchors
EVERY = {"anchors": 97, "proposals": 7}  # row of each that is recorded
SCENES = 4  # batches of two images with boxes
MASKS = {"detections": 5, "places": 7, "pixels": 401}  # every so manieth of what is found, of its mask, of its image


def untrained(classes, side, proposals, build=fasterrcnn_resnet50_fpn):
    how = dict(min_size=side, max_size=side, rpn_pre_nms_top_n_test=proposals, rpn_post_nms_top_n_test=proposals)
    return build(weights=None, weights_backbone=None, num_classes=classes, **how).eval()


def narrowed(model):
    """The same network with smaller anchors, and with an eighth of the channels in every layer but the image's and the
    outputs'."""
    model.rpn.anchor_generator = AnchorGenerator(tuple((side,) for side in SIDES), (RATIOS,) * len(SIDES))
    ends = [model.rpn.head.cls_logits, model.rpn.head.bbox_pred, *model.roi_heads.box_predictor.children()]
    ends += [model.roi_heads.mask_predictor.mask_fcn_logits] if model.roi_heads.has_mask() else []
    for parent in list(model.modules()):
        for name, each in list(parent.named_children()):
            if isinstance(each, torch.nn.Conv2d):
                inputs = each.in_channels if each.in_channels == 3 else each.in_channels // NARROW
                outputs = each.out_channels if each in ends else each.out_channels // NARROW
                how = dict(stride=each.stride, padding=each.padding, bias=each.bias is not None)
                setattr(parent, name, torch.nn.Conv2d(inputs, outputs, each.kernel_size, **how))
            elif isinstance(each, torch.nn.ConvTranspose2d):
                sides = (each.in_channels // NARROW, each.out_channels // NARROW)
                setattr(parent, name, torch.nn.ConvTranspose2d(*sides, each.kernel_size, stride=each.stride))
            elif isinstance(each, torch.nn.BatchNorm2d):
                setattr(parent, name, torch.nn.BatchNorm2d(each.num_features // NARROW, eps=each.eps))
            elif isinstance(each, torch.nn.Linear):
                outputs = each.out_features if each in ends else each.out_features // NARROW
                setattr(parent, name, torch.nn.Linear(each.in_features // NARROW, outputs))
    return model.eval()


def as_theirs(images):
    return [torch.from_numpy(each.transpose(2, 0, 1) / np.float32(255)) for each in images]


@torch.no_grad()
def outputs(model, images):
    """Of all anchors logits (images, n, 1) and offsets (images, n, 4), and their boxes (n, 4); of the proposals boxes,
    logits and offsets, each (images * count, ...); and what is found, a dictionary for each image."""
    pictures, _ = model.transform(as_theirs(images))
    assert pictures.tensors.shape[-2:] == images.shape[1:3], "the images are resized"
    maps = model.backbone(pictures.tensors)
    logits, offsets = model.rpn.head(list(maps.values()))
    logits, offsets = (
        torch.cat(
            [each.unflatten(1, (-1, size)).permute(0, 3, 4, 1, 2).reshape(len(images), -1, size) for each in levels], 1
        )
        for levels, size in ((logits, 1), (offsets, 4))
    )
    anchors = model.rpn.anchor_generator(pictures, list(maps.values()))[0]
    proposals, _ = model.rpn(pictures, maps)
    inside = model.roi_heads.box_head(model.roi_heads.box_roi_pool(maps, proposals, pictures.image_sizes))
    kinds, places = model.roi_heads.box_predictor(inside)
    return {
        "objectness": logits,
        "deltas": offsets,
        "anchors": anchors[None],
        "proposals": torch.stack(proposals),
        "logits": kinds.reshape(len(images), -1, kinds.shape[-1]),
        "offsets": places.reshape(len(images), -1, places.shape[-1]),
    }, model(as_theirs(images))


@torch.no_grad()
def losses(model, seed):
    """Of two images with boxes, by torchvision's functions: all anchors and all proposals are drawn, and the proposals
    are those of the network in use, without the things themselves."""
    images, (boxes, labels) = blocks(2, SIDE, seed), truths(2, seed=seed)
    boxes, labels = [torch.from_numpy(each * SIDE) for each in boxes], [torch.from_numpy(each + 1) for each in labels]
    found, _ = outputs(model, images)
    rpn, heads = model.rpn, model.roi_heads

    rpn.fg_bg_sampler.batch_size_per_image = 10**6
    anchors = [found["anchors"][0]] * 2
    has, matched = rpn.assign_targets_to_anchors(anchors, [{"boxes": each} for each in boxes])
    wanted = rpn.box_coder.encode(matched, anchors)
    first = rpn.compute_loss(found["objectness"].flatten(0, 1), found["deltas"].flatten(0, 1), has, wanted)

    proposals = [*found["proposals"]]
    which, kinds = heads.assign_targets_to_proposals(proposals, boxes, labels)
    wanted = heads.box_coder.encode([box[number] for box, number in zip(boxes, which)], proposals)
    second = roi_heads.fastrcnn_loss(found["logits"].flatten(0, 1), found["offsets"].flatten(0, 1), kinds, wanted)
    assert (torch.cat(has) > 0).any() and (torch.cat(kinds) > 0).any(), "images without anything to learn"
    return {
        "objectness": float(first[0]),
        "deltas": float(first[1]),
        "logits": float(second[0]),
        "offsets": float(second[1]),
    }


def short(tensor):
    """With seven digits."""
    return [float(f"{each:.7g}") for each in tensor.detach().flatten().tolist()]


@torch.no_grad()
def masks_of(model, images):
    """Of each image, what is found, and of every so manieth the mask in its box and in the image."""
    pictures, _ = model.transform(as_theirs(images))
    maps = model.backbone(pictures.tensors)
    proposals, _ = model.rpn(pictures, maps)
    found, _ = model.roi_heads(maps, proposals, pictures.image_sizes)  # masks (n, 1, 28, 28)
    every, rows = MASKS, []
    for one, whole in zip(found, model(as_theirs(images))):  # pasted: (n, 1, height, width)
        assert torch.equal(one["scores"], whole["scores"]), "the images are resized"
        row = {"boxes": [short(each) for each in one["boxes"]], "scores": short(one["scores"])}
        row["labels"] = one["labels"].tolist()
        row["masks"] = [short(each.flatten()[:: every["places"]]) for each in one["masks"][:: every["detections"]]]
        row["sums"] = short(one["masks"].double().sum((1, 2, 3)))
        row["pasted"] = [short(each.flatten()[:: every["pixels"]]) for each in whole["masks"][:: every["detections"]]]
        row["pasted_sums"] = short(whole["masks"].double().sum((1, 2, 3)))
        rows.append(row)
    return rows


@torch.no_grad()
def mask_loss(model, seed):
    """torchvision's loss of the third stage, of two images with boxes in whole pixels whose things fill them: of
    all proposals that tell of one."""
    images, (boxes, labels) = blocks(2, SIDE, seed), truths(2, seed=seed)
    boxes, labels = [torch.from_numpy(each * SIDE) for each in boxes], [torch.from_numpy(each + 1) for each in labels]
    boxes = [each.round() for each in boxes]
    found, _ = outputs(model, images)
    heads, proposals = model.roi_heads, [*found["proposals"]]
    which, kinds = heads.assign_targets_to_proposals(proposals, boxes, labels)
    has = [torch.where(each > 0)[0] for each in kinds]
    proposals, which = ([part[rows] for part, rows in zip(each, has)] for each in (proposals, which))
    full = [torch.zeros(len(each), SIDE, SIDE) for each in boxes]
    for masks, each in zip(full, boxes):
        for mask, (left, top, right, bottom) in zip(masks, each.int()):
            mask[top:bottom, left:right] = 1
    pictures, _ = model.transform(as_theirs(images))
    maps = model.backbone(pictures.tensors)
    logits = heads.mask_predictor(heads.mask_head(heads.mask_roi_pool(maps, proposals, pictures.image_sizes)))
    return float(roi_heads.maskrcnn_loss(logits, proposals, full, labels, which))


def by_rule(model):
    """Give a network its numbers by rule; what there is to say of it."""
    shapes = [(key, tuple(tensor.shape)) for key, tensor in model.state_dict().items()]
    state = state_dicts.numbers(shapes, GAIN)
    model.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    return {
        "torchvision": torchvision.__version__, "gain": GAIN, "shapes": shapes, "side": SIDE, "sides": SIDES,
        "count": PROPOSALS,
    }  # fmt: skip


def record_masks():
    model = narrowed(untrained(CLASSES, SIDE, PROPOSALS, maskrcnn_resnet50_fpn))
    said = by_rule(model)
    rows = {
        **said,
        "every": MASKS,
        "found": masks_of(model, blocks(2, SIDE)),
        "losses": [mask_loss(model, seed) for seed in range(SCENES)],
    }
    print(rows["losses"], [(len(each["labels"]), each["sums"][:5]) for each in rows["found"]])
    MASKS_RECORDED.write_bytes(gzip.compress(json.dumps(rows).encode(), mtime=0))


def record():
    model = narrowed(untrained(CLASSES, SIDE, PROPOSALS))
    said = by_rule(model)
    found, detections = outputs(model, blocks(2, SIDE))
    for key, each in found.items():
        effect = float((each[0] - each[-1]).abs().max() / each.abs().max())
        print(f"{key}: of {float(each.std()):.2g}, the image moves them by {effect:.2f}")
    every = {key: EVERY["proposals" if key in ("proposals", "logits", "offsets") else "anchors"] for key in found}
    rows = {
        **said,
        "every": every,
        "rows": {key: [short(row) for row in each[:, :: every[key]].flatten(0, 1)] for key, each in found.items()},
        "sums": {key: float(each.double().abs().sum()) for key, each in found.items()},
        "found": [
            {
                "boxes": [short(each) for each in one["boxes"]],
                "scores": short(one["scores"]),
                "labels": one["labels"].tolist(),
            }
            for one in detections
        ],
        "losses": [losses(model, seed) for seed in range(SCENES)],
    }
    print(rows["losses"], [len(each["labels"]) for each in rows["found"]])
    RECORDED.write_bytes(gzip.compress(json.dumps(rows).encode(), mtime=0))


if __name__ == "__main__":
    if sys.argv[1:] != ["masks"]:
        record()
    record_masks()
