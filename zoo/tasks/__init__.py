"""What each task asks of a run: how its data is fed, the loss, the figures it is judged by, the pictures.

A new kind of task is a new row: in the module of its kind of data, and so in `TASKS`.
"""

from collections.abc import Mapping

from zoo.tasks import arrays, clips, metric_learning, styling, text, translation, words
from zoo.tasks.task import Measured, Network, Task

TASKS: Mapping[str, Task] = {
    **arrays.TASKS,
    **clips.TASKS,
    **metric_learning.TASKS,
    **styling.TASKS,
    **text.TASKS,
    **translation.TASKS,
    **words.TASKS,
}

__all__ = ["TASKS", "Measured", "Network", "Task"]
