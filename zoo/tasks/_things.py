"""What a detector finds in one image, as a record."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo import plots
from zoo.data.image import files as image_files
from zoo.data.image.coco_masks import runs_of
from zoo.metrics.detection import Detections
from zoo.plots.segmentation import coloured

SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, eq=False)
class Things:
    """The things in one image, the surest first. `print` shows them as the command line does.

    >>> print(Things("a.png", (40, 60), ("cat",), np.array([0.9]), np.array([[1.0, 2.0, 30.4, 40.0]]), least=0.25))
    a.png: 1 thing
      cat 90.0% from 1,2 to 30,40
    """

    input: str  # its file, or "image 3" of those without one
    size: tuple[int, int]  # of the image: (height, width), in pixels
    labels: tuple[str, ...]
    scores: np.ndarray  # (things,), from 0 to 1
    boxes: np.ndarray  # (things, 4): left, top, right, bottom, in pixels of the image
    least: float  # things with no more than this score were left out
    masks: np.ndarray | None = None  # (things, height, width): which pixels show each, where the network says so
    picture: Path | None = None  # the image with what was found

    def __str__(self) -> str:
        count = len(self.labels)
        counted = (
            f"{count} thing{'s' if count != 1 else ''}" if count else f"nothing with a score above {self.least:.0%}"
        )
        lines = [f"{self.input}: {counted}"]
        for number, (label, score) in enumerate(zip(self.labels, self.scores)):
            left, top, right, bottom = np.round(self.boxes[number]).astype(int)
            pixels = "" if self.masks is None else f", {self.masks[number].sum():,} pixels"
            lines.append(f"  {label} {score:.1%} from {left},{top} to {right},{bottom}{pixels}")
        if self.picture:
            lines.append(f"  with its {'boxes' if self.masks is None else 'masks'}: {self.picture}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """As plain data: boxes in pixels, masks as COCO's JSON has them (`zoo.data.image.coco_masks`)."""
        things: list[dict[str, Any]] = [
            {"label": label, "score": round(float(score), 6), "box": [round(float(side), 2) for side in box]}
            for label, score, box in zip(self.labels, self.scores, self.boxes)
        ]
        for thing, mask in zip(things, () if self.masks is None else self.masks):
            thing |= {"pixels": int(mask.sum()), "mask": runs_of(mask)}
        return {
            "input": self.input,
            "height": self.size[0],
            "width": self.size[1],
            "things": things,
            **({"picture": str(self.picture)} if self.picture else {}),
        }

    def as_rows(self) -> list[dict[str, str]]:
        """As rows of a table, one for each thing; an image without any has one with nothing in it."""
        found = self.as_dict()
        empty = {"input": self.input, "label": "", "score": "", **dict.fromkeys(SIDES, "")}
        empty |= {} if self.masks is None else {"pixels": ""}
        rows = []
        for thing in found["things"]:
            told = {**thing, **dict(zip(SIDES, thing["box"]))}
            rows.append({**empty, **{name: str(told[name]) for name in empty if name != "input"}})
        return rows or [empty]

    def drawn(self, image: np.ndarray, class_names: Sequence[str], folder: Path) -> "Things":
        """With its picture: the image (height, width, 3) of 0 to 1 with its boxes, written into the folder."""
        height, width = self.size
        classes = np.array([class_names.index(label) for label in self.labels], int)
        if self.masks is not None:
            image = coloured(image, self.masks[::-1], classes[::-1])  # the surest on top
        folder.mkdir(parents=True, exist_ok=True)
        kind = "boxes" if self.masks is None else "masks"
        file = image_files.free_name(folder / f"{Path(self.input).stem}-{kind}.png")
        boxes = Detections(self.boxes / [width, height, width, height], classes, self.scores)
        plots.save(plots.boxes_on([image], [boxes], class_names), file)
        return replace(self, picture=file)
