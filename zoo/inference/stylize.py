"""Neural style transfer of one photograph, by optimising its pixels (Gatys 2016): what `zoo stylize` does.

    from zoo.inference.stylize import stylize
    image = stylize("content.jpg", ["style.jpg"], steps=300)  # a PIL image

Reading, checking and writing want Pillow alone; Keras is imported when everything is known to be right.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import registry
from zoo.data.image.files import check_output, limited, read, write
from zoo.deprecated import check_one_name, warn
from zoo.errors import UsageError
from zoo.inference.style_optimization import OPTIMIZERS, Progress, StyleOptimization
from zoo.inference.style_settings import StyleSettings
from zoo.system import available_memory

if TYPE_CHECKING:
    from PIL import Image

# Bytes of maps for each pixel of the image: 2 x 64 channels at full size, 2 x 128 at a quarter of the pixels, 3 x 256
# at a sixteenth, 3 x 512 at a 64th, 512 at a 256th, and the four pools; four bytes each.
MAP_BYTES_PER_PIXEL = 4 * (128 + 64 + 48 + 24 + 2 + 16 + 8 + 4 + 2)
UNTRAINED_NOTE = (
    "untrained filters: they carry texture and colour, and know no objects (He, Wang & Hopcroft 2016); with trained "
    "ones the style follows the shapes"
)
log = logging.getLogger("zoo")


def memory(width: int, height: int) -> int:
    """Bytes that a step takes, about: the maps of the VGG up to block5_conv1 and their gradients, and once as much.

    `benchmarks/style_transfer.py speed` writes the peak of the whole process beside this estimate.
    """
    return 3 * MAP_BYTES_PER_PIXEL * width * height


@dataclass(frozen=True)
class StyleRequest:
    """A photograph and its styles, read, resized and checked."""

    content: "Image.Image"
    styles: tuple["Image.Image", ...]
    output: Path | None
    settings: StyleSettings
    loss_options: Mapping[str, Any]  # which VGG the loss uses, as options of `zoo.losses.Perceptual`

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the photograph, and so of the result."""
        return self.content.size


def stylize(
    content: str | Path,
    styles: Sequence[str | Path],
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    **options: Any,
) -> "Image.Image":
    """Render the photograph `content` in the style of one or more images.

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
    return render(prepare(content, styles, output, overwrite, **options))


def prepare(
    content: str | Path,
    styles: Sequence[str | Path],
    output: str | Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> StyleRequest:
    """Refuse what can be refused, read the images, and log the size of the result. Keras is not imported."""
    from PIL import Image

    if "shares" in options:
        check_one_name("shares", "fractions", options.get("fractions"))
        warn("stylize(shares=...)", "stylize(fractions=...)", stacklevel=3)
        options["fractions"] = options.pop("shares")
    settings = StyleSettings(**options)
    settings.check(len(styles))
    target = None if output is None else Path(output)
    if target is not None:
        for path in (target, *settings.previews(target)):
            check_output(path, overwrite=overwrite)
    sources = [content, *styles]
    images = [read(source) for source in sources]
    for source in sources:
        if target is not None and target.exists() and target.samefile(source):
            raise UsageError(f"the output {target} is one of the images to be read; choose another name")
    limits = [settings.size] + [settings.style_size or settings.size] * len(styles)
    sizes = [limited(each.size, limit, source) for each, limit, source in zip(images, limits, sources)]
    shrunk = [each.resize(size, Image.Resampling.LANCZOS) for each, size in zip(images, sizes)]
    check_memory(images[0].size, sizes[0], sizes[1:])
    return StyleRequest(shrunk[0], tuple(shrunk[1:]), target, settings, loss_options(settings))


def render(request: StyleRequest) -> "Image.Image":
    """Optimise the image of a request; see `stylize`."""
    from PIL import Image

    content, *styles = (np.asarray(image, "float32") / 255 for image in (request.content, *request.styles))
    optimization = StyleOptimization(content, styles, request.settings, request.loss_options)
    progress = Progress(request.settings, request.output)
    try:
        OPTIMIZERS[request.settings.optimizer](optimization, progress)
    except KeyboardInterrupt:
        if request.output is None:
            raise
        write(optimization.result(), request.output)
        raise KeyboardInterrupt(f" after {progress.step} steps; {request.output} holds the image so far") from None
    image = optimization.result()
    if request.output is not None:
        write(image, request.output)
    return Image.fromarray(np.round(255 * image).astype("uint8"))


def loss_options(settings: StyleSettings) -> dict[str, Any]:
    """The VGG of the loss: with trained filters, fetched if need be, or with untrained ones, which is logged."""
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
        log.info(UNTRAINED_NOTE)
        return {"extractor": settings.extractor, "filter_seed": settings.seed, "width": 0.5}
    preprocessing = preprocessing_of(registry.info(settings.extractor), weights, settings.preprocessing or None)
    return {"extractor": settings.extractor, "weights": weights, "preprocessing": preprocessing, "width": 1.0}


def check_memory(original: tuple[int, int], size: tuple[int, int], style_sizes: Sequence[tuple[int, int]]) -> None:
    """Log the photograph's size, and the memory that it and the styles take; raise if that is not free."""
    width, height = size
    # The maps of a style are computed once, without gradients: a third of what a step takes.
    needs = {memory(width, height): f"{width}x{height} pixels"}
    needs |= {memory(*each) // 3: f"a style of {each[0]}x{each[1]} pixels" for each in style_sizes}
    (needed, what), free = max(needs.items()), available_memory()
    shrunk = f"{original[0]}x{original[1]} becomes " if original != size else ""
    if free is not None and needed > free:
        option = "--style-size" if what.startswith("a style") else "--size"
        raise UsageError(
            f"{what} take{'s' * what.startswith('a')} about {needed / 2**20:,.0f} MiB of memory and "
            f"{free / 2**20:,.0f} MiB are free; choose a smaller {option}"
        )
    log.info(f"{shrunk}{width}x{height} pixels, about {needed / 2**20:,.0f} MiB of memory")
