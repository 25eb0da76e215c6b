"""A folder of the user's own videos, one sub-folder for each class."""

from typing import Any

import numpy as np

from zoo.data.image.folder import ImageFile, ImageFolder
from zoo.data.sources import Source, tensorflow
from zoo.data.video.files import ENDINGS, probe
from zoo.errors import UsageError


class ClipFolder(ImageFolder):
    """``VIDEOS/<class>/<clip>.mp4``, split here by content; or ``VIDEOS/<split>/<class>/<clip>.mp4``, by its owner.

    Examples are pairs (path, label); the data module reads the files. Clips cut from one recording are no copies of
    each other, and chance may put them on both sides: whoever has such gives the folder splits of its own.
    """

    KIND = "clips"
    ENDINGS = ENDINGS

    def load(self) -> Source:
        splits = {
            split: ([str(clip.path) for clip in clips], [self.labels.index(clip.label) for clip in clips])
            for split, clips in self._splits().items()
        }

        def split(text: str) -> Any:
            if text not in splits:
                raise ValueError(f"it has {', '.join(splits)}")
            paths, labels = splits[text]
            return tensorflow().data.Dataset.from_tensor_slices((paths, np.array(labels, "int64")))

        return Source(self.name, tuple(self.labels), split)

    def _readable(self, image: ImageFile) -> bool:
        try:
            return probe(image.path).frames > 0
        except UsageError as error:
            if "pip install" in str(error):
                raise
            return False
