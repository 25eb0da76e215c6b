"""A folder of the user's own videos, one sub-folder for each class."""

from typing import Any

import numpy as np

from zoo.data.image.dividing import ImageFile
from zoo.data.image.folder import ImageFolder
from zoo.data.tensors import tensorflow
from zoo.data.video.files import ENDINGS, probe
from zoo.errors import UsageError


class ClipFolder(ImageFolder):
    """``VIDEOS/<class>/<clip>.mp4``, split here by content; or ``VIDEOS/<split>/<class>/<clip>.mp4``, by its owner.

    Examples are pairs (path, label); the data module reads the files. Clips cut from one recording are no copies of
    each other, and chance may put them on both sides: whoever has such gives the folder splits of its own.
    """

    KIND = "clips"
    ENDINGS = ENDINGS

    def _open(self, images: list[ImageFile], labels: tuple[str, ...]) -> Any:
        paths, numbers = [str(clip.path) for clip in images], [labels.index(clip.label) for clip in images]
        return tensorflow().data.Dataset.from_tensor_slices((paths, np.array(numbers, "int64")))

    def _look(self, image: ImageFile) -> tuple[str, ...]:
        if probe(image.path).frames <= 0:
            raise UsageError(f"{image.path} has no frames")
        return ()
