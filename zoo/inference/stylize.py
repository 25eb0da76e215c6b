"""Paint a photograph in the style of another image: what `zoo stylize` does.

    from zoo.stylize import stylize
    image = stylize("content.jpg", ["style.jpg"], steps=300)  # a PIL image

Reading, checking and writing want Pillow alone; Keras is imported when everything is known to be right.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import registry
from zoo.checks import check_whole
from zoo.data.image.files import MIN_SIDE, check_output, limited, read, write
from zoo.errors import UsageError, unknown
from zoo.inference.style_optimization import OPTIMIZERS, Painting, Progress, finish

SIZE = 512  # pixels of the longer side, unless told otherwise
STARTS = ("content", "noise")
# Bytes of maps for each pixel: 2 x 64 channels at full size, 2 x 128 at a quarter of the pixels, 3 x 256 at a
# sixteenth, 3 x 512 at a 64th, 512 at a 256th, and the four pools; four bytes each.
MAPS = 4 * (128 + 64 + 48 + 24 + 2 + 16 + 8 + 4 + 2)
UNTRAINED = (
    "untrained filters: they carry texture and colour, and know no objects (He, Wang & Hopcroft 2016); with trained "
    "ones the style follows the shapes"
)
log = logging.getLogger("zoo")


def memory(width: int, height: int) -> int:
    """Bytes that a step takes, about: the maps of the VGG up to block5_conv1 and their gradients, and once as much.

    `benchmarks/style_transfer.py speed` writes the peak of the whole process beside this estimate.
    """
    return 3 * MAPS * width * height


def available_memory() -> int | None:
    """Bytes of memory that are free, where the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None


# What is asked for


@dataclass(frozen=True)
class StyleSettings:
    """How an image is to be painted."""

    style_weight: float = 5.0  # beside a content weight of 1
    variation_weight: float = 1.0
    fractions: tuple[float, ...] = ()  # of several styles; equal if left out
    size: int = SIZE
    style_size: int | None = None  # of the styles' longer sides; as the photograph's
    steps: int = 300
    optimizer: str = "adam"  # a name of OPTIMIZERS
    learning_rate: float = 0.02
    start: str = "content"
    keep_colours: bool = False
    seed: int = 0
    extractor: str = "vgg16"
    weights: str = "auto"  # "imagenet" where it can be had, else untrained filters; "none"; a tag, file or address
    preprocessing: str = ""
    preview: int = 0  # write the image every so many steps; 0: never
    verbose: int = 1

    def check(self, styles: int) -> None:
        if not registry.info(self.extractor).loss_network:
            able = [name for name in registry.list_models() if registry.info(name).loss_network]
            raise UsageError(f"extractor is {self.extractor!r}; expected {', '.join(able[:-1])} or {able[-1]}")
        for field, least in (("size", MIN_SIDE), ("style_size", MIN_SIDE), ("steps", 1), ("preview", 0), ("seed", 0)):
            value = getattr(self, field)
            if value is None and field == "style_size":
                continue
            check_whole(field, value, least)
        if self.seed >= 2**32:
            raise UsageError(f"seed is {self.seed}; expected a whole number from 0 to 2^32 - 1")
        for field in ("style_weight", "variation_weight", "learning_rate"):
            value = getattr(self, field)
            if not 0 <= value < float("inf"):
                raise UsageError(f"{field} is {value!r}; expected a number of at least 0")
        if self.optimizer not in OPTIMIZERS:
            raise unknown("optimizer", self.optimizer, OPTIMIZERS)
        if self.start not in STARTS:
            raise unknown("start", self.start, STARTS)
        right = all(0 <= fraction < float("inf") for fraction in self.fractions) and sum(self.fractions) > 0
        if self.fractions and (len(self.fractions) != styles or not right):
            raise UsageError(
                f"there are {styles} styles and the fractions {self.fractions}; expected one number for each, not all 0"
            )

    def previews(self, output: Path | None) -> list[Path]:
        """The files that are written on the way."""
        steps = range(self.preview, self.steps, self.preview) if self.preview and output else ()
        return [output.with_name(f"{output.stem}-{step:04}{output.suffix}") for step in steps]


@dataclass(frozen=True)
class StyleRequest:
    """An image to be painted, that has passed every check."""

    content: Any  # PIL images, of the sizes that they are looked at in
    styles: tuple[Any, ...]
    output: Path | None
    settings: StyleSettings
    filters: Mapping[str, Any]  # which VGG the loss looks through, as options of `zoo.losses.Perceptual`

    @property
    def size(self) -> tuple[int, int]:
        return self.content.size


def stylize(content, styles: Sequence, output=None, *, overwrite: bool = False, **options):
    """Paint the photograph `content` in the style of one or more images.

    Args:
        content: the path of an image.
        styles: paths of images.
        output: the path to write to, PNG or JPEG; None: nothing is written.
        overwrite: whether `output` may be there already.
        **options: see `StyleSettings`.

    Returns:
        The image, as a PIL image. It is as large as `content`, or as the limit `size` allows.

    Raises:
        UsageError: before the work, for anything that cannot work.
        KeyboardInterrupt: if stopped; what there is by then is written, and its message says so.
    """
    return paint(prepare(content, styles, output, overwrite, **options))


def prepare(content, styles: Sequence, output=None, overwrite: bool = False, **options) -> StyleRequest:
    """Refuse what can be refused, read the images, and say how large it gets. Keras is not imported."""
    from PIL import Image

    settings = StyleSettings(**options)
    settings.check(len(styles))
    if output is not None:
        output = Path(output)
        for path in (output, *settings.previews(output)):
            check_output(path, overwrite=overwrite)
    paths = [content, *styles]
    images = [read(path) for path in paths]
    for path in paths:
        if output is not None and output.exists() and output.samefile(path):
            raise UsageError(f"the output {output} is one of the images to be read; choose another name")
    longest = [settings.size] + [settings.style_size or settings.size] * len(styles)
    sizes = [limited(each.size, most, path) for each, most, path in zip(images, longest, paths)]
    shrunk = [each.resize(size, Image.Resampling.LANCZOS) for each, size in zip(images, sizes)]
    announce(images[0].size, sizes)
    return StyleRequest(shrunk[0], tuple(shrunk[1:]), output, settings, filters(settings))


def paint(request: StyleRequest):
    """Carry out a request; see `stylize`."""
    from PIL import Image

    def numbers(image):
        return np.asarray(image, "float32") / 255

    painting = Painting(
        numbers(request.content), [numbers(style) for style in request.styles], request.settings, request.filters
    )
    progress = Progress(request.settings, request.output)
    try:
        OPTIMIZERS[request.settings.optimizer](painting, progress)
    except KeyboardInterrupt:
        if request.output is None:
            raise
        write(finish(painting), request.output)
        raise KeyboardInterrupt(f" after {progress.step} steps; {request.output} holds the image so far") from None
    image = finish(painting)
    if request.output is not None:
        write(image, request.output)
    return Image.fromarray(np.round(255 * image).astype("uint8"))


def filters(settings: StyleSettings) -> dict[str, object]:
    """Trained filters, fetched if need be, or untrained ones; which, is said."""
    from zoo.preprocessing import preprocessing_of
    from zoo.weights import tags

    weights = "imagenet" if settings.weights == "auto" else settings.weights
    if weights != "none":
        try:
            tags.find(weights, settings.extractor, {"top": False})
        except UsageError as error:
            if settings.weights != "auto":
                raise
            log.info(f"no trained filters: {error}")
            weights = "none"
    if weights == "none":
        log.info(UNTRAINED)
        return {"extractor": settings.extractor, "filter_seed": settings.seed, "width": 0.5}
    preprocessing = preprocessing_of(registry.info(settings.extractor), weights, settings.preprocessing or None)
    return {"extractor": settings.extractor, "weights": weights, "preprocessing": preprocessing, "width": 1.0}


def announce(before, sizes) -> None:
    """The photograph's size, and the memory that it and the styles take; too much is refused while nothing is lost."""
    (width, height), *styles = sizes
    # A style is looked at once, without gradients: a third of what a step takes.
    needs = {memory(width, height): f"{width}x{height} pixels"}
    needs |= {memory(*size) // 3: f"a style of {size[0]}x{size[1]} pixels" for size in styles}
    (needed, what), free = max(needs.items()), available_memory()
    shrunk = f"{before[0]}x{before[1]} becomes " if tuple(before) != (width, height) else ""
    if free is not None and needed > free:
        option = "--style-size" if what.startswith("a style") else "--size"
        raise UsageError(
            f"{what} take{'s' * what.startswith('a')} about {needed / 2**20:,.0f} MiB of memory and "
            f"{free / 2**20:,.0f} MiB are free; choose a smaller {option}"
        )
    log.info(f"{shrunk}{width}x{height} pixels, about {needed / 2**20:,.0f} MiB of memory")
