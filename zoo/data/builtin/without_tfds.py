"""What data sets of `zoo.data.builtin` take from tfds, where it or TensorFlow is not installed, under its names.

Their examples are made in memory, in the order in which tfds would keep them on the disk: the same batches come out.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from zoo.data.tensors import tensorflow
from zoo.errors import UsageError

__all__ = ["builder", "core", "download", "features", "list_builders"]

SPLIT = re.compile(r"(?P<name>[\w-]+)(\[((?P<start>-?\d+)(?P<start_unit>%?))?:((?P<stop>-?\d+)(?P<stop_unit>%?))?\])?")
names: dict[str, Any] = {}  # of classes


class DatasetNotFoundError(ValueError):
    """There is no embedded data set of that name."""


@dataclass(frozen=True)
class Tensor:
    """Numbers of one shape."""

    shape: tuple[int | None, ...]
    dtype: Any
    encoding: str = "none"  # on the disk

    def array(self, values: Sequence[Any]) -> np.ndarray:
        """(examples, *shape)"""
        found = np.stack([np.asarray(value, self.dtype) for value in values])
        if len(found.shape) != 1 + len(self.shape) or any(
            wanted not in (None, size) for wanted, size in zip(self.shape, found.shape[1:])
        ):
            raise UsageError(f"an example has shape {found.shape[1:]}; expected {self.shape}")
        return found


class Image(Tensor):
    """Pixels."""


class LabeledImage(Tensor):
    """The number of a class for each pixel."""

    def __init__(self, *, labels: Sequence[str], shape: tuple[int | None, ...], dtype: Any):
        super().__init__(shape, dtype)
        object.__setattr__(self, "names", [*labels])


def of_several(*_: Any, **__: Any) -> Any:
    """A feature that differs in number from example to example: boxes."""
    raise UsageError("images with boxes are made by tensorflow-datasets: pip install 'keras-zoo[tfds]'")


class Video(Tensor):
    """Pixels of several frames."""


class Text:
    """A text, as bytes in UTF-8."""

    names = None

    def array(self, values: Sequence[str]) -> np.ndarray:
        found = np.empty(len(values), object)
        found[:] = [value.encode() for value in values]
        return found


class ClassLabel:
    """The number of a class."""

    def __init__(self, *, num_classes: int | None = None, names: Sequence[str] | None = None):
        self.names = [*names] if names is not None else [str(number) for number in range(num_classes or 0)]

    def array(self, values: Sequence[int]) -> np.ndarray:
        found = np.array(values, "int64")
        if wrong := found[(found < 0) | (found >= len(self.names))].tolist():
            raise UsageError(f"Class label {wrong[0]} is not below {len(self.names)}, the number of classes")
        return found


class FeaturesDict(dict[str, Any]):
    """Features by name, of an example or of one of its features."""

    def array(self, values: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return {name: feature.array([value[name] for value in values]) for name, feature in self.items()}


@dataclass(frozen=True)
class DatasetInfo:
    """What `_info` says."""

    features: FeaturesDict
    supervised_keys: tuple[str, str] | None = None
    disable_shuffling: bool = False
    description: str = ""
    homepage: str = ""
    citation: str = ""


class GeneratorBasedBuilder:
    """A data set whose examples a program yields, with a key each."""

    name: str
    data_dir = "memory"
    made: dict[str, dict[str, np.ndarray]]  # of this class: split -> feature -> array (examples, ...)

    def __init_subclass__(cls, *, skip_registration: bool = False, **options: Any):
        super().__init_subclass__(**options)
        cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        cls.made = {}
        if skip_registration:
            return
        if cls.name in names:
            raise ValueError(f"the name {cls.name} is taken")
        names[cls.name] = cls

    def __init__(self) -> None:
        self.info = self._info()

    def _info(self) -> DatasetInfo:
        raise NotImplementedError

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[Any, dict[str, Any]]]]:
        raise NotImplementedError

    def dataset_info_from_configs(self, **said: Any) -> DatasetInfo:
        return DatasetInfo(**said)

    def is_prepared(self) -> bool:
        return True

    def as_dataset(self, *, split: str, as_supervised: bool = False) -> Any:
        """The examples of ``"train"``, ``"train[:90%]"``, ``"train[10:]+test"``, one by one: as tfds slices them.

        Raises:
            ValueError: if there is no such split.
        """
        self._make()
        parts = [self._sliced(text) for text in re.split(r"\s*\+\s*", split)]
        columns = tensorflow().nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
        if not len(next(iter(columns.values()))):
            raise ValueError(f"{split!r} corresponds to no data")
        keys = self.info.supervised_keys
        return tensorflow().data.Dataset.from_tensor_slices(
            tuple(columns[key] for key in keys) if as_supervised and keys else columns
        )

    def _make(self) -> None:
        """The examples of all splits, once in a process."""
        if type(self).made:
            return
        found = {}
        for split, generated in self._split_generators(None).items():
            rows = [*generated]
            if not self.info.disable_shuffling:
                rows.sort(key=lambda row, split=split: place(split, row[0]))  # type: ignore[misc]
            found[split] = {
                name: column(name, feature, [example[name] for _, example in rows])
                for name, feature in self.info.features.items()
            }
        type(self).made = found

    def _sliced(self, text: str) -> dict[str, np.ndarray]:
        match = SPLIT.fullmatch(text)
        if match is None:
            raise ValueError(f"Unrecognized split format: {text!r}")
        if match["name"] not in self.made:
            raise ValueError(f"Unknown split {match['name']!r}. Should be one of {list(self.made)}.")
        columns = self.made[match["name"]]
        count = len(next(iter(columns.values())))
        ends = {}
        for end, usual in (("start", 0), ("stop", count)):
            number = usual if match[end] is None else int(match[end])
            number = round(number * count / 100) if match[f"{end}_unit"] else number
            if abs(number) > count:
                raise ValueError(f"Requested slice {text} incompatible with {count} examples.")
            ends[end] = number + count if number < 0 else number
        return tensorflow().nest.map_structure(lambda array: array[ends["start"] : ends["stop"]], columns)


def column(name: str, feature: Any, values: Sequence[Any]) -> np.ndarray:
    """The values of a feature, (examples, ...)."""
    try:
        return feature.array(values)
    except (UsageError, TypeError, ValueError) as error:
        raise UsageError(f"the feature {name!r}: {error}") from error


def place(split: str, key: Any) -> bytes:
    """By what tfds orders the examples of a split.

    >>> sorted(range(4), key=lambda key: place("train", key))
    [0, 3, 1, 2]
    """
    return hashlib.md5(f"{split}{key}".encode(), usedforsecurity=False).digest()


def builder(dataset: str, data_dir: Any = None) -> Any:
    """A data set by its name, with or without its version.

    Raises:
        DatasetNotFoundError: if there is none.
        ValueError: if there is none of that version.
    """
    name, _, version = dataset.partition(":")
    if name not in names:
        raise DatasetNotFoundError(name)
    found = names[name]()
    if version not in ("", str(found.VERSION)):
        raise ValueError(f"{name} has the version {found.VERSION}, not {version}")
    return found


def list_builders() -> list[str]:
    """Those of tfds itself: none."""
    return []


core = SimpleNamespace(
    BuilderConfig=SimpleNamespace,
    DatasetBuilder=GeneratorBasedBuilder,
    DatasetInfo=DatasetInfo,
    GeneratorBasedBuilder=GeneratorBasedBuilder,
    Version=str,
    registered=SimpleNamespace(
        DatasetNotFoundError=DatasetNotFoundError, _ABSTRACT_DATASET_REGISTRY={}, _DATASET_REGISTRY=names
    ),
)
features = SimpleNamespace(
    BBoxFeature=of_several, ClassLabel=ClassLabel, FeaturesDict=FeaturesDict, Image=Image, LabeledImage=LabeledImage,
    Sequence=of_several, Tensor=Tensor, Text=Text, Video=Video,
)  # fmt: skip
download = SimpleNamespace(DownloadManager=object)
