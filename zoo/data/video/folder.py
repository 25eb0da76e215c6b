"""A folder of the user's own videos, one sub-folder for each class."""

from collections.abc import Mapping
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

    def _opened(self, splits: Mapping[str, list[ImageFile]], labels: tuple[str, ...]) -> Source:
        pairs = {
            split: ([str(clip.path) for clip in clips], [labels.index(clip.label) for clip in clips])
            for split, clips in splits.items()
        }

        def split(text: str) -> Any:
            if text not in pairs:
                raise ValueError(f"it has {', '.join(pairs)}")
            paths, numbers = pairs[text]
            return tensorflow().data.Dataset.from_tensor_slices((paths, np.array(numbers, "int64")))

        return Source(self.name, labels, split, examples=self._examples(splits))

    def _readable(self, image: ImageFile) -> bool:
        try:
            return probe(image.path).frames > 0
        except UsageError as error:
            if "pip install" in str(error):
                raise
            return False
