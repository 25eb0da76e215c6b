"""Where examples come from: a tfds data set, or a file of arrays. Found, checked and prepared before any training.

tfds by itself waits minutes for a network that is not there. Here a data set that is not on the disk
is looked for first, and the answer is one line in under a second.
"""

import contextlib
import hashlib
import os
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from zoo.data.array_files import divided, no_examples, stored_arrays
from zoo.data.builtin.embedded import PREPARED, Embedded, embedded, tfds
from zoo.data.preparation import prepare
from zoo.data.reachability import DATA_HOST, reachable
from zoo.data.split_record import Example, SplitRecord
from zoo.data.tensors import tensorflow as tensorflow
from zoo.errors import UsageError, first_line, unknown

NAME = re.compile(r"\w+(/[\w.+-]+)?(:(\d+|\*)(\.(\d+|\*)){2})?")  # no name space: tfds asks other hosts for those


@dataclass(frozen=True)
class Source:
    """Examples that are on the disk.

    `split(text)` gives (input, target) pairs as a ``tf.data.Dataset``, one example each, or dictionaries of
    features where a data set does not say which is the target; the text is in tfds' slicing language
    (``"train[:90%]"``). `class_names` is empty where the target is no class. `examples` are those of a user's own
    folder, with their splits. `features(text)` gives all features of each example by their names, where a data set has
    more of them than an input and a target. `cache_dir` is a folder for prepared examples that memory does not hold.
    """

    name: str
    class_names: tuple[str, ...]
    split: Callable[[str], Any]
    examples: tuple[Example, ...] = field(default=(), kw_only=True)
    features: Callable[[str], Any] | None = field(default=None, kw_only=True)
    cache_dir: Path | None = field(default=None, kw_only=True)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)


@dataclass(frozen=True)
class ParallelSource(Source):
    """The same texts in several languages, in memory: `columns(split)` gives language -> texts."""

    columns: Callable[[str], Mapping[str, list[str]]]


class DataSet(Protocol):
    """What `open_source` found: a data set that is there, and not read yet."""

    name: str

    def sha256(self) -> str | None: ...
    def load(self) -> Source: ...


@runtime_checkable
class Recorded(DataSet, Protocol):
    """One that is split by the contents of its examples: its `Source` has `examples`, which a run keeps."""

    def load_by(self, record: SplitRecord) -> Source:
        """As `load`, with the splits and the classes of a run."""
        ...


def open_source(
    dataset: str | os.PathLike[str],
    *,
    folder: Callable[[Path], DataSet] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    numbers: bool = False,
    ordered: bool = False,
) -> DataSet:
    """Find a data set: a tfds name, with or without ``:version``, or the path of an ``.npz`` file or of a folder.

    Nothing is read and TensorFlow is not imported; call ``.load()`` on what is returned.

    Args:
        dataset: what to open.
        folder: opens a folder, or a text file: the `folder` of the task that is to learn from it.
        data_dir: where tfds keeps its data sets.
        numbers: whether whole targets of an ``.npz`` file are numbers, not classes.
        ordered: whether its examples stand in the order of time, so that the last ones are held out.

    Raises:
        UsageError: for an unknown name, a file that cannot be read, or a data set that is not on the
            disk and cannot be fetched.
    """
    if str(dataset).endswith(".npz"):
        return ArrayFile(Path(dataset), numbers=numbers, ordered=ordered)
    if os.path.isabs(dataset):
        if folder is None:
            raise UsageError(f"{dataset} is a folder or a file; expected the name of a data set, or an .npz file")
        return folder(Path(dataset))
    return TfdsFile(str(dataset), data_dir)


class TfdsFile:
    """A tfds data set, on the disk or within reach."""

    def __init__(self, dataset: str, data_dir: str | os.PathLike[str] | None = None):
        self.name = dataset
        self.data_dir = data_dir
        self.online = False
        name = dataset.partition(":")[0]
        if not NAME.fullmatch(dataset):
            raise UsageError(
                f"{dataset!r} is no name of a data set; expected one of tensorflow-datasets, with or without its "
                "configuration and version, as in mnist:3.0.1"
            )
        try:
            self.builder = builder_of(dataset, data_dir)
        except tfds.core.registered.DatasetNotFoundError:
            if PREPARED:
                raise unknown("data set", name, [*tfds.list_builders(), *embedded()]) from None
            raise UsageError(
                f"{name} is none of the data sets that come with the zoo ({', '.join(embedded())}); those of "
                "tensorflow-datasets need it and TensorFlow: pip install 'keras-zoo[tfds]'"
            ) from None
        except Exception as error:  # a version that does not exist, a name that is none, a damaged folder
            raise UsageError(f"the data set {dataset!r} cannot be opened: {first_line(error)}") from error
        if self.builder.is_prepared():
            if PREPARED and isinstance(self.builder, Embedded):
                self.builder.check_unchanged()
            return
        folder = Path(self.builder.data_dir)
        check_writable(
            folder, what=f"the data set {name}", cure="choose another with --data-dir (data_dir=) or TFDS_DATA_DIR"
        )
        if isinstance(self.builder, Embedded):
            return
        if parts := getattr(self.builder, "composed_of", ()):
            self.online = any(TfdsFile(part, data_dir).online for part in parts)  # raises if one cannot be had
            return
        if self.builder.url_infos is None:  # it names nothing to download
            return
        hosts = {urllib.parse.urlsplit(url).netloc for url in self.builder.url_infos}
        self.online = any(reachable(host) for host in hosts or {DATA_HOST})
        if not self.online and not self._archives_here():
            raise UsageError(
                f"{name} is not in {folder.parent.parent} and {min(hosts, default=DATA_HOST)} cannot be reached; "
                f"connect to the network once, or point --data-dir (data_dir=) to a folder that holds it, "
                f"or take the recipe 'demo', which needs no network"
            )

    def _archives_here(self) -> bool:
        """Whether downloads of this data set lie in the cache, so that tfds may prepare without the network."""
        cache = Path(self.builder.data_dir).parent.parent / "downloads"
        return any(f'"{self.builder.name}"' in note.read_text(errors="replace") for note in cache.rglob("*.INFO"))

    def sha256(self) -> None:
        """None: the version in the name says what the data is."""

    def load(self) -> Source:
        """Prepare the data set if need be and open it."""
        tensorflow()
        if not self.builder.is_prepared():
            self._prepare()
        try:
            builder = builder_of(self.name, self.data_dir)  # sees what is there, whoever prepared it
            supervised = bool(builder.info.supervised_keys)
            features = dict(getattr(builder.info.features, "items", dict)())
            pair = None if supervised else image_and_class(features)
            target = features.get(builder.info.supervised_keys[1] if supervised else (pair or ("", "label"))[1])
            names = getattr(target, "names", None) or names_of_objects(features) or ()
        except Exception as error:
            folder = self.builder.data_dir
            raise UsageError(f"{folder} is damaged ({first_line(error)}); remove it and run again") from error

        def examples(text: str, as_supervised: bool) -> Any:
            try:
                return builder.as_dataset(split=text, as_supervised=as_supervised)
            except (ValueError, AssertionError) as error:
                if "corresponds to no data" in str(error):
                    raise no_examples(self.name, text) from None
                raise UsageError(f"{self.name} has no split {text!r}: {first_line(error)}") from None

        def split(text: str) -> Any:
            found = examples(text, supervised)
            return found.map(lambda each: (each[pair[0]], each[pair[1]])) if pair else found

        more = len(features) > 2
        return Source(self.name, tuple(names), split, features=(lambda text: examples(text, False)) if more else None)

    def _prepare(self) -> None:
        try:
            prepare(self.builder, retry=self.online)
        except UsageError:
            if not tfds.builder(self.name, data_dir=self.data_dir).is_prepared():  # else another process was faster
                raise


_builders: dict[tuple[Any, ...], tuple[Any, int | None]] = {}


def builder_of(dataset: str, data_dir: str | os.PathLike[str] | None) -> Any:
    """The builder of a tfds data set: the one of last time, if the same data are on the disk.

    tfds remembers what it knows of a builder as long as the process lives, and so one is enough.
    """
    known = tfds.core.registered._DATASET_REGISTRY
    code = known.get(re.split("[/:]", dataset)[0])  # a file of one's own may be imported again
    key = dataset, str(data_dir), code
    builder, written = _builders.get(key, (None, None))
    if written is None or written != when_written(builder):
        builder = tfds.builder(dataset, data_dir=data_dir)
        _builders[key] = builder, when_written(builder)
    return builder


def when_written(builder: tfds.core.DatasetBuilder) -> int | None:
    """In nanoseconds, when the data of a builder were prepared; None where they are not."""
    with contextlib.suppress(OSError):
        return (Path(builder.data_dir) / "dataset_info.json").stat().st_mtime_ns
    return None


def image_and_class(features: Mapping[str, Any]) -> tuple[str, str] | None:
    """The input and the target of a data set that does not name them: its only image or video, and its only class."""
    images = [name for name, each in features.items() if isinstance(each, tfds.features.Image | tfds.features.Video)]
    classes = [name for name, each in features.items() if isinstance(each, tfds.features.ClassLabel)]
    return (images[0], classes[0]) if len(images) == len(classes) == 1 else None


def names_of_objects(features: Mapping[str, Any]) -> list[str] | None:
    """The classes of a data set whose images have boxes: they stand in its "objects"."""
    label = dict(getattr(getattr(features.get("objects"), "feature", None), "items", dict)()).get("label")
    return getattr(label, "names", None)


class ArrayFile:
    """An ``.npz`` file with x_train, y_train, x_test, y_test and, if there is one, a validation set x_val, y_val.

    Images are (n, height, width) or (n, height, width, channels), uint8 or floats in 0..1. Without a
    validation set, a stratified tenth of the training set is held out, or the last tenth where it is ordered.
    """

    def __init__(self, path: Path, *, numbers: bool = False, ordered: bool = False):
        self.path, self.numbers, self.ordered = path, numbers, ordered
        self.name = str(path)
        if not path.is_file():
            raise UsageError(f"there is no file {path}; expected an .npz file with x_train, y_train, x_test, y_test")

    def sha256(self) -> str:
        """Of the file, so that a run can be told from one on other data of the same name."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def load(self) -> Source:
        """Read the arrays, check their form and open them."""
        splits, classes = divided(self.stored(), self.name, numbers=self.numbers, ordered=self.ordered)
        names = tuple(map(str, range(classes)))

        def split(text: str) -> Any:
            if text not in splits:
                raise unknown(f"split of {self.path}", text, splits)
            return tensorflow().data.Dataset.from_tensor_slices(splits[text])

        return Source(self.name, names, split)

    def stored(self) -> Mapping[str, Any]:
        """The arrays by name."""
        return stored_arrays(self.path)


def check_writable(folder: Path, *, what: str, cure: str = "choose another") -> None:
    """Raise unless files can be made in `folder` or, where it does not exist yet, in the folder above."""
    existing = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise UsageError(f"{what} cannot be written to {folder}: {existing} is not a folder you may write to; {cure}")
