"""What torchvision makes of random boxes, and its SSD of images, recorded for the tests of detectors.

    python benchmarks/torchvision_detection.py           writes tests/recorded/torchvision_{nms,roi_align,ssd}.*
    python benchmarks/torchvision_detection.py --full    SSD300 of full size, as torchvision draws its weights, and the
                                                         zoo's: a row in results/benchmarks/torchvision_detection.csv

Wants torch and torchvision, an environment of its own will do; with ``--full`` Keras too, and KERAS_BACKEND=torch.
"""

import argparse
import csv
import gzip
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torchvision
from torchvision import ops
from torchvision.models.detection import ssd300_vgg16

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import state_dicts  # noqa: E402
from box_scenes import blocks, regions, scenes, truths  # noqa: E402

RECORDED = ROOT / "tests" / "recorded"
NARROW, CLASSES, GAIN = 8, 5, 1.2  # what the channels are divided by; with the background; of `state_dicts.numbers`
EVERY = 97  # row of 8,732 that is recorded
SCENES = 4  # batches of two images with boxes


def kept(boxes, scores):
    """As a hexadecimal number, a bit for each box that stays."""
    return f"{sum(1 << int(each) for each in ops.nms(torch.tensor(boxes), torch.tensor(scores), 0.5)):x}"


def short(tensor):
    """With seven digits."""
    return [float(f"{each:.7g}") for each in tensor.detach().flatten().tolist()]


# RoIAlign

ROI_CASES = [
    {"size": (7, 7), "scale": 1.0, "samples": 2, "aligned": False},
    {"size": (7, 7), "scale": 1.0, "samples": 2, "aligned": True},
    {"size": (3, 5), "scale": 0.5, "samples": 1, "aligned": False},
    {"size": (14, 14), "scale": 1.25, "samples": 3, "aligned": True},
]
ROI_EVERY = 11  # number of a box that is recorded


def record_roi_align():
    maps, boxes = regions()
    cases = []
    for options in ROI_CASES:
        found = ops.roi_align(
            torch.from_numpy(maps.transpose(0, 3, 1, 2).copy()),
            [torch.from_numpy(each) for each in boxes],
            options["size"],
            options["scale"],
            options["samples"],
            options["aligned"],
        ).permute(0, 2, 3, 1)  # (boxes of all images, rows, columns, channels)
        rows = [short(each) for each in found.flatten(1)[:, ::ROI_EVERY]]
        cases.append({"options": options, "sum": float(found.double().abs().sum()), "found": rows})
    rows = {"torchvision": torchvision.__version__, "every": ROI_EVERY, "cases": cases}
    (RECORDED / "torchvision_roi_align.json").write_text(json.dumps(rows) + "\n")


# SSD


def untrained(classes):
    return ssd300_vgg16(weights=None, weights_backbone=None, num_classes=classes)


def narrowed(model):
    """The same network with an eighth of the channels in every layer but the image's and the outputs'."""
    for parent in list(model.modules()):
        for name, each in list(parent.named_children()):
            if isinstance(each, torch.nn.Conv2d):
                is_head = parent is not model and any(
                    each in list(head.module_list)
                    for head in (model.head.classification_head, model.head.regression_head)
                )
                inputs = each.in_channels if each.in_channels == 3 else each.in_channels // NARROW
                outputs = each.out_channels if is_head else each.out_channels // NARROW
                how = dict(stride=each.stride, padding=each.padding, dilation=each.dilation)
                setattr(parent, name, torch.nn.Conv2d(inputs, outputs, each.kernel_size, **how))
    model.backbone.scale_weight = torch.nn.Parameter(torch.ones(512 // NARROW))
    return model


def as_theirs(images):
    return [torch.from_numpy(each.transpose(2, 0, 1) / np.float32(255)) for each in images]


@torch.no_grad()
def outputs(model, images):
    """Offsets (images, boxes, 4), logits (images, boxes, classes), default boxes (boxes, 4) in pixels; and what is
    found, a dictionary for each image."""
    model.eval()
    pictures, _ = model.transform(as_theirs(images))
    maps = list(model.backbone(pictures.tensors).values())
    head = model.head(maps)
    anchors = model.anchor_generator(pictures, maps)[0]
    return head["bbox_regression"], head["cls_logits"], anchors, model(as_theirs(images))


@torch.no_grad()
def losses(model, seed):
    """Of two images with boxes: {"bbox_regression": ..., "classification": ...}."""
    model.train()
    images, (boxes, labels) = blocks(2, seed=seed), truths(2, seed=seed)
    targets = [
        {"boxes": torch.from_numpy(box * 300), "labels": torch.from_numpy(label + 1)}
        for box, label in zip(boxes, labels)
    ]
    return {key: float(value) for key, value in model(as_theirs(images), targets).items()}


def record_ssd():
    model = narrowed(untrained(CLASSES))
    shapes = [(key, tuple(tensor.shape)) for key, tensor in model.state_dict().items()]
    state = state_dicts.numbers(shapes, GAIN)
    model.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    offsets, logits, anchors, found = outputs(model, blocks(2))
    effect = (offsets[0] - offsets[1]).abs().max() / offsets.abs().max()
    print(f"offsets of {offsets.std():.2f}, logits of {logits.std():.2f}; the image moves them by {effect:.2f}")
    rows = {
        "torchvision": torchvision.__version__,
        "gain": GAIN,
        "shapes": shapes,
        "every": EVERY,
        "offsets": [short(each) for each in offsets[:, ::EVERY].flatten(0, 1)],
        "logits": [short(each) for each in logits[:, ::EVERY].flatten(0, 1)],
        "anchors": [short(each) for each in anchors[::EVERY]],
        "sums": [float(each.double().abs().sum()) for each in (offsets, logits, anchors)],
        "found": [
            {
                "boxes": [short(each) for each in one["boxes"]],
                "scores": short(one["scores"]),
                "labels": one["labels"].tolist(),
            }
            for one in found
        ],
        "losses": [losses(model, seed) for seed in range(SCENES)],
    }
    (RECORDED / "torchvision_ssd.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode(), mtime=0))


# The whole network


def compare_full():
    """At its full size and as torchvision draws its weights, the largest differences of everything."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    import zoo
    from zoo.boxes.rows import GEOMETRY
    from zoo.decoding.detections import detections
    from zoo.preprocessing import PIXELS

    torch.manual_seed(0)
    model, images = untrained(91), blocks(2)
    offsets, logits, anchors, found = outputs(model, images)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), f"{folder}/ssd.pth")
        ours = zoo.build("ssd300_vgg16", weights=f"{folder}/ssd.pth", preprocessing="caffe_rgb")
    heads = keras.Model(ours.input, [ours.get_layer("offsets").output, ours.output])
    x = (images - np.float32(PIXELS["caffe_rgb"].mean)).astype("float32")
    here, rows = (keras.ops.convert_to_numpy(each) for each in heads(x, training=False))
    here_found = detections(rows, score=0.01, iou=0.45, max_boxes=200, candidates=36_000)
    row = {
        "theirs": "torchvision/ssd300_vgg16",
        "offsets": np.abs(here - offsets.numpy()).max(),
        "logits": np.abs(rows[..., GEOMETRY:] - logits.numpy()).max(),
        "default_boxes": np.abs(ours.get_layer("boxes").anchors - to_centres(anchors.numpy() / 300)).max(),
        "boxes_found": max(np.abs(a.boxes - b["boxes"].numpy() / 300).max() for a, b in zip(here_found, found)),
        "scores_found": max(np.abs(a.scores - b["scores"].numpy()).max() for a, b in zip(here_found, found)),
    }
    assert all((a.classes + 1 == b["labels"].numpy()).all() and len(a.classes) for a, b in zip(here_found, found)), (
        "other classes are found"
    )
    row = {key: f"{value:.1e}" if isinstance(value, float | np.floating) else value for key, value in row.items()}
    row |= {
        "largest_offset": f"{np.abs(here).max():.2g}",
        "largest_logit": f"{np.abs(logits.numpy()).max():.2g}",
        "found": sum(len(each.classes) for each in here_found),
        "params": ours.count_params(),
        "torchvision": torchvision.__version__,
        "torch": torch.__version__,
        "keras": keras.__version__,
    }
    print(row)
    with (ROOT / "results" / "benchmarks" / "torchvision_detection.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)


def to_centres(boxes):
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true")
    if parser.parse_args().full:
        compare_full()
        return
    found = [kept(*scene) for scene in zip(*scenes(1000, 20))]
    rows = {"torchvision": torchvision.__version__, "iou_threshold": 0.5, "kept": found}
    (RECORDED / "torchvision_nms.json").write_text(json.dumps(rows) + "\n")
    record_roi_align()
    record_ssd()


if __name__ == "__main__":
    main()
