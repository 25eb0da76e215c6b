"""Folders of images with boxes, as users have them, for tests."""

import json

import numpy as np
from PIL import Image

from zoo.data.builtin import shapes


def coco_folder(root, count, side, border, things):
    """Images of shapes, squares of `side` pixels with `border` black columns on the right, with COCO's JSON.

    `things(rng, number)` gives the boxes and the kinds of an image.
    """
    rng = np.random.default_rng(0)
    images, rows = [], []
    for number in range(count):
        boxes, kinds = things(rng, number)
        square = shapes.picture(rng, side, kinds, boxes, test=False)
        Image.fromarray(np.pad(square, [(0, 0), (0, border), (0, 0)])).save(root / f"{number}.png")
        images.append(dict(id=number, file_name=f"{number}.png"))
        for kind, (left, top, right, bottom) in zip(kinds, (box / shapes.FINE for box in boxes)):
            box = [left, top, right - left, bottom - top]
            rows.append(dict(id=len(rows), image_id=number, category_id=int(kind), bbox=box))
    categories = [dict(id=number, name=name) for number, name in enumerate(shapes.CLASSES)]
    (root / "boxes.json").write_text(json.dumps(dict(images=images, annotations=rows, categories=categories)))
    return root
