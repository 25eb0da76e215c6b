"""What each task asks of a run: how its data is fed, the loss, the figures it is judged by, the pictures.

A new kind of task is a new row: in the module of its kind of data, and so in `TASKS`.
"""

from collections.abc import Mapping

from zoo.tasks import (
    image_classification,
    language_modelling,
    metric_learning,
    style_transfer,
    text_classification,
    translation,
    video_classification,
    word_vectors,
)
from zoo.tasks.base import Measured, Network, Task

TASKS: Mapping[str, Task] = {
    **image_classification.TASKS,
    **video_classification.TASKS,
    **metric_learning.TASKS,
    **style_transfer.TASKS,
    **language_modelling.TASKS,
    **text_classification.TASKS,
    **translation.TASKS,
    **word_vectors.TASKS,
}

__all__ = ["TASKS", "Measured", "Network", "Task"]
