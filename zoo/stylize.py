"""Paint a photograph in the style of another picture: what `zoo stylize` does.

    from zoo.stylize import stylize
    picture = stylize("content.jpg", ["style.jpg"], steps=300)  # a PIL image

Reading, checking and writing want Pillow alone; Keras is imported when everything is known to be right.
"""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import registry
from zoo.errors import UsageError, unknown
from zoo.picture_files import SMALLEST, check_output, limited, read, write

SIZE = 512  # pixels of the longer side, unless told otherwise
STARTS = ("content", "noise")
SHOWN_EVERY = 10  # steps: to see the losses takes a forward pass
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
class Plan:
    """How a picture is to be painted."""

    style_weight: float = 5.0  # beside a content weight of 1
    variation_weight: float = 1.0
    shares: tuple[float, ...] = ()  # of several styles; equal if left out
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
    preview: int = 0  # write the picture every so many steps; 0: never
    verbose: int = 1

    def check(self, styles: int) -> None:
        card = registry.info(self.extractor)
        if card.family != "vgg" or self.extractor == "vgg16_small":
            raise UsageError(f"extractor is {self.extractor!r}; expected vgg11, vgg13, vgg16 or vgg19")
        for field, least in (("size", SMALLEST), ("steps", 1), ("preview", 0), ("seed", 0)):
            value = getattr(self, field)
            if not isinstance(value, int) or value < least:
                raise UsageError(f"{field} is {value!r}; expected a whole number of at least {least}")
        for field in ("style_weight", "variation_weight", "learning_rate"):
            value = getattr(self, field)
            if not 0 <= value < float("inf"):
                raise UsageError(f"{field} is {value!r}; expected a number of at least 0")
        if self.optimizer not in OPTIMIZERS:
            raise unknown("optimizer", self.optimizer, OPTIMIZERS)
        if self.start not in STARTS:
            raise unknown("start", self.start, STARTS)
        if self.shares and (len(self.shares) != styles or min(self.shares) < 0 or not sum(self.shares)):
            raise UsageError(
                f"there are {styles} styles and the shares {self.shares}; expected one for each, not all 0"
            )


# The work


class Progress:
    """A bar with both losses, and previews."""

    def __init__(self, plan: Plan, output: Path | None):
        import keras

        self.plan, self.output, self.step = plan, output, 0
        self.bar = keras.utils.Progbar(plan.steps, verbose=plan.verbose, stateful_metrics=["content", "style"])

    def after(self, painting: "Painting") -> None:
        """To be told of each step."""
        self.step += 1
        last = self.step == self.plan.steps
        if self.plan.verbose and (self.step % SHOWN_EVERY == 0 or last):
            terms = painting.terms()
            self.bar.update(self.step, [(term, terms[term]) for term in ("content", "style")], finalize=last)
        if self.plan.preview and self.output and self.step % self.plan.preview == 0 and not last:
            write(finish(painting), self.output.with_name(f"{self.output.stem}-{self.step:04}{self.output.suffix}"))


class Painting:
    """A photograph on its way to a style: the model, its loss, and what it looks like now."""

    def __init__(self, content: np.ndarray, styles: Sequence[np.ndarray], plan: Plan, loss_options):
        import keras

        from zoo import losses

        self.plan, self.content = plan, content
        self.loss = losses.Perceptual(
            style_weight=plan.style_weight, variation_weight=plan.variation_weight, **loss_options
        ).hold(content, styles, plan.shares or None)
        keras.utils.set_random_seed(plan.seed)  # here, and not before: a VGG in the loss draws numbers of its own
        self.model = registry.build("style_transfer", picture_shape=content.shape)
        self.pixels = self.model.get_layer("picture")
        if plan.start == "content":
            self.put(content)

    def put(self, picture) -> None:
        self.pixels.set_weights([np.asarray(picture, "float32").reshape(1, -1)])

    def picture(self) -> np.ndarray:
        return self.pixels.get_weights()[0].reshape(self.content.shape)

    def terms(self) -> dict[str, float]:
        """The terms of the loss as they are now."""
        import keras

        terms = self.loss.terms(None, keras.ops.convert_to_tensor(self.picture()[None]))
        return {term: float(keras.ops.stop_gradient(value)[0]) for term, value in terms.items()}

    def data(self):
        """The one example: picture number 0. The loss holds what it is compared with."""
        return np.zeros(1, "int32"), np.zeros((1, 1), "float32")


def adam(painting: Painting, progress: Progress) -> None:
    """Keras's Adam, through `fit`: an epoch of one example is one step."""
    import keras

    plan = painting.plan
    painting.model.compile(keras.optimizers.Adam(plan.learning_rate), loss=painting.loss, jit_compile=compiled())
    each = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: progress.after(painting))
    painting.model.fit(*painting.data(), batch_size=1, epochs=plan.steps, verbose=0, shuffle=False, callbacks=[each])


def compiled() -> bool | str:
    """XLA, which Keras asks of TensorFlow, is slower than TensorFlow's own convolutions on a processor."""
    import keras

    on_processor = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
    return False if on_processor else "auto"


def lbfgs(painting: Painting, progress: Progress) -> None:
    """SciPy's L-BFGS-B, within 0 to 1, as the paper's; a step is an evaluation of loss and gradient."""
    from scipy.optimize import minimize

    from zoo.optimization import GradientRecorder

    class Enough(Exception):
        """SciPy's own limits are looked at between its line searches only."""

    plan, recorder = painting.plan, GradientRecorder()
    painting.model.compile(recorder, loss=painting.loss, jit_compile=compiled())
    best = [float("inf"), painting.picture()]

    def value_and_gradient(flat):
        if progress.step == plan.steps:
            raise Enough
        painting.put(flat)
        value = float(painting.model.train_on_batch(*painting.data(), return_dict=True)["loss"])
        if value < best[0]:
            best[:] = value, painting.picture()
        progress.after(painting)
        return value, recorder.gradients()[0].astype("float64").ravel()

    pixels = painting.picture().astype("float64").ravel()
    try:
        with contextlib.suppress(Enough):
            minimize(
                value_and_gradient, pixels, jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * pixels.size,
                options={"maxfun": 2 * plan.steps, "maxiter": 2 * plan.steps, "maxcor": 20},
            )  # fmt: skip
    finally:  # also when it was stopped: a line search ends anywhere
        painting.put(best[1])


OPTIMIZERS = {"adam": adam, "lbfgs": lbfgs}


@dataclass(frozen=True)
class Job:
    """A picture to be painted, that has passed every check."""

    content: Any  # PIL images, of the sizes that they are looked at in
    styles: tuple[Any, ...]
    output: Path | None
    plan: Plan
    filters: Mapping[str, Any]  # which VGG the loss looks through, as options of `zoo.losses.Perceptual`

    @property
    def size(self) -> tuple[int, int]:
        return self.content.size


def stylize(content, styles: Sequence, output=None, *, overwrite: bool = False, **settings):
    """Paint the photograph `content` in the style of one or more pictures.

    Args:
        content: the path of a picture.
        styles: paths of pictures.
        output: the path to write to, PNG or JPEG; None: nothing is written.
        overwrite: whether `output` may be there already.
        **settings: see `Plan`.

    Returns:
        The picture, as a PIL image. It is as large as `content`, or as the limit `size` allows.

    Raises:
        UsageError: before the work, for anything that cannot work.
        KeyboardInterrupt: if stopped; what there is by then is written, and its message says so.
    """
    return paint(prepare(content, styles, output, overwrite, **settings))


def prepare(content, styles: Sequence, output=None, overwrite: bool = False, **settings) -> Job:
    """Refuse what can be refused, read the pictures, and say how large it gets. Keras is not imported."""
    from PIL import Image

    plan = Plan(**settings)
    plan.check(len(styles))
    if output is not None:
        output = Path(output)
        check_output(output, overwrite=overwrite)
    paths = [content, *styles]
    pictures = [read(path) for path in paths]
    longest = [plan.size] + [plan.style_size or plan.size] * len(styles)
    sizes = [limited(each.size, most, path) for each, most, path in zip(pictures, longest, paths)]
    shrunk = [each.resize(size, Image.Resampling.LANCZOS) for each, size in zip(pictures, sizes)]
    announce(pictures[0].size, sizes[0])
    return Job(shrunk[0], tuple(shrunk[1:]), output, plan, filters(plan))


def paint(job: Job):
    """Carry out a job; see `stylize`."""
    from PIL import Image

    def numbers(image):
        return np.asarray(image, "float32") / 255

    painting = Painting(numbers(job.content), [numbers(style) for style in job.styles], job.plan, job.filters)
    progress = Progress(job.plan, job.output)
    try:
        OPTIMIZERS[job.plan.optimizer](painting, progress)
    except KeyboardInterrupt:
        if job.output is None:
            raise
        write(finish(painting), job.output)
        raise KeyboardInterrupt(f" after {progress.step} steps; {job.output} holds the picture so far") from None
    picture = finish(painting)
    if job.output is not None:
        write(picture, job.output)
    return Image.fromarray(np.round(255 * picture).astype("uint8"))


def filters(plan: Plan) -> dict[str, object]:
    """Trained filters, fetched if need be, or untrained ones; which, is said."""
    from zoo.job import preprocessing_of
    from zoo.weights import sources

    weights = "imagenet" if plan.weights == "auto" else plan.weights
    if weights != "none":
        try:
            sources.find(weights, plan.extractor, {"top": False})
        except UsageError as error:
            if plan.weights != "auto":
                raise
            log.info(f"no trained filters: {error}")
            weights = "none"
    if weights == "none":
        log.info(UNTRAINED)
        return {"extractor": plan.extractor, "filter_seed": plan.seed, "width": 0.5}
    preprocessing = preprocessing_of(registry.info(plan.extractor), weights, plan.preprocessing or None)
    return {"extractor": plan.extractor, "weights": weights, "preprocessing": preprocessing, "width": 1.0}


def announce(before, size) -> None:
    """The size and the memory that it takes; too much is refused while nothing is lost."""
    needed, free = memory(*size), available_memory()
    shrunk = f"{before[0]}x{before[1]} becomes " if tuple(before) != tuple(size) else ""
    if free is not None and needed > free:
        raise UsageError(
            f"{size[0]}x{size[1]} pixels take about {needed / 2**20:,.0f} MiB of memory and "
            f"{free / 2**20:,.0f} MiB are free; choose a smaller --size"
        )
    log.info(f"{shrunk}{size[0]}x{size[1]} pixels, about {needed / 2**20:,.0f} MiB of memory")


def finish(painting: Painting) -> np.ndarray:
    """The picture as it is to be written: with the photograph's own colours, if they are to be kept."""
    picture = np.clip(painting.picture(), 0, 1)
    return with_colours_of(painting.content, picture) if painting.plan.keep_colours else picture


def with_colours_of(content: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The light and dark of `picture` in the colours of `content` (Gatys 2016b, "Preserving Color", section 3.2).

    >>> grey = np.full((1, 1, 3), 0.5, "float32")
    >>> dark = with_colours_of(grey, np.array([[[1.0, 0.0, 0.0]]], "float32"))  # as red is
    >>> dark.astype("float64").round(2).tolist()
    [[[0.3, 0.3, 0.3]]]
    """
    from PIL import Image

    def planes(array):
        return Image.fromarray(np.round(255 * array).astype("uint8")).convert("YCbCr").split()

    (light, _, _), (_, blue, red) = planes(picture), planes(content)
    return np.asarray(Image.merge("YCbCr", (light, blue, red)).convert("RGB"), "float32") / 255
