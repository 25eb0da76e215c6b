"""What torchvision makes of random boxes, recorded for tests/boxes/test_boxes.py.

    python benchmarks/torchvision_detection.py

Wants torch and torchvision, and neither Keras nor the zoo: an environment of its own will do.
"""

import json
import sys
from pathlib import Path

import torch
import torchvision
from torchvision import ops

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from box_scenes import scenes  # noqa: E402


def kept(boxes, scores):
    """As a hexadecimal number, a bit for each box that stays."""
    return f"{sum(1 << int(each) for each in ops.nms(torch.tensor(boxes), torch.tensor(scores), 0.5)):x}"


def main():
    found = [kept(*scene) for scene in zip(*scenes(1000, 20))]
    rows = {"torchvision": torchvision.__version__, "iou_threshold": 0.5, "kept": found}
    (ROOT / "tests" / "recorded" / "torchvision_nms.json").write_text(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
