"""Plots of detectors: what stands beside a box, and how it is drawn."""

import numpy as np

from zoo import plots
from zoo.metrics.detection import Detections

IMAGE = np.zeros((8, 8, 3))
FOUND = Detections(np.array([[0.25, 0.25, 0.75, 0.75]]), np.array([1]), np.array([0.8]))


def test_a_box_without_prediction_has_no_score():
    words = [
        [text.get_text() for text in plots.boxes_on([IMAGE], [FOUND], ("a", "b"), with_scores=shown).axes[0].texts]
        for shown in (True, False)
    ]
    assert words == [["b 80%"], ["b"]]


def test_the_line_of_a_box_is_seen_on_a_black_image():
    border, line = plots.boxes_on([IMAGE], [FOUND], ("a", "b")).axes[0].patches
    assert border.get_edgecolor()[:3] == (1, 1, 1) and border.get_linewidth() > line.get_linewidth()
    assert border.get_bbox().bounds == line.get_bbox().bounds
