"""How an image is painted: the model and its loss, the two optimizers, and what is seen on the way."""

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.data.image.files import write

log = logging.getLogger("zoo")

SHOWN_EVERY = 10  # steps: to see the losses takes a forward pass


class Progress:
    """A bar with both losses, and previews. `settings` is a `zoo.inference.stylize.StyleSettings`."""

    def __init__(self, settings, output: Path | None):
        import keras

        self.settings, self.output, self.step = settings, output, 0
        self.bar = keras.utils.Progbar(settings.steps, verbose=settings.verbose, stateful_metrics=["content", "style"])

    def after(self, painting: "Painting") -> None:
        """To be told of each step."""
        self.step += 1
        last = self.step == self.settings.steps
        if self.settings.verbose and (self.step % SHOWN_EVERY == 0 or last):
            terms = painting.terms()
            self.bar.update(self.step, [(term, terms[term]) for term in ("content", "style")], finalize=last)
        if self.settings.preview and self.output and self.step % self.settings.preview == 0 and not last:
            write(finish(painting), self.settings.previews(self.output)[self.step // self.settings.preview - 1])

    def end(self) -> None:
        """To be told if the last step came before it was due."""
        if self.settings.verbose and self.step < self.settings.steps:
            self.bar.update(self.step, finalize=True)
            log.info(
                f"no step made it better after {self.step} of {self.settings.steps}: it is as good as this start allows"
            )


class Painting:
    """A photograph on its way to a style: the model, its loss, and what it looks like now."""

    def __init__(self, content: np.ndarray, styles: Sequence[np.ndarray], settings, loss_options):
        import keras

        from zoo import factory, losses

        self.settings, self.content = settings, content
        self.loss = losses.Perceptual(
            style_weight=settings.style_weight,
            variation_weight=settings.variation_weight
            if settings.style_weight
            else 0.0,  # no style: the photograph as it is
            **loss_options,
        ).hold(content, styles, settings.fractions or None)
        keras.utils.set_random_seed(settings.seed)  # here, and not before: a VGG in the loss draws numbers of its own
        self.model = factory.build("style_transfer", image_shape=content.shape)
        self.pixels = self.model.get_layer("picture")
        if settings.start == "content":
            self.put(content)

    def put(self, image) -> None:
        self.pixels.set_weights([np.asarray(image, "float32").reshape(1, -1)])

    def image(self) -> np.ndarray:
        return self.pixels.get_weights()[0].reshape(self.content.shape)

    def terms(self) -> dict[str, float]:
        """The terms of the loss as they are now."""
        import keras

        terms = self.loss.terms(None, keras.ops.convert_to_tensor(self.image()[None]))
        return {term: float(keras.ops.stop_gradient(value)[0]) for term, value in terms.items()}

    def data(self):
        """The one example: image number 0. The loss holds what it is compared with."""
        return np.zeros(1, "int32"), np.zeros((1, 1), "float32")


def adam(painting: Painting, progress: Progress) -> None:
    """Keras's Adam, through `fit`: an epoch of one example is one step."""
    import keras

    settings = painting.settings
    painting.model.compile(keras.optimizers.Adam(settings.learning_rate), loss=painting.loss, jit_compile=compiled())
    last = [painting.image()]

    def after_step(epoch, logs):
        last[:] = [painting.image()]
        progress.after(painting)

    each = keras.callbacks.LambdaCallback(on_epoch_end=after_step)
    example = painting.data()
    try:
        painting.model.fit(*example, batch_size=1, epochs=settings.steps, verbose=0, shuffle=False, callbacks=[each])
    except KeyboardInterrupt:  # in the middle of a step, when JAX's own arrays are nowhere
        painting.put(last[0])
        raise


def compiled() -> bool | str:
    """XLA, which Keras asks of TensorFlow, is slower than TensorFlow's own convolutions on a processor."""
    import keras

    on_processor = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
    return False if on_processor else "auto"


def lbfgs(painting: Painting, progress: Progress) -> None:
    """SciPy's L-BFGS-B, within 0 to 1, as the paper's; a step is an evaluation of loss and gradient."""
    from scipy.optimize import minimize

    from zoo.optimizers.schedules import GradientRecorder

    class Enough(Exception):
        """SciPy's own limits are looked at between its line searches only."""

    settings, recorder = painting.settings, GradientRecorder()
    painting.model.compile(recorder, loss=painting.loss, jit_compile=compiled())
    best = [float("inf"), painting.image()]

    def value_and_gradient(flat):
        if progress.step == settings.steps:
            raise Enough
        painting.put(flat)
        value = float(painting.model.train_on_batch(*painting.data(), return_dict=True)["loss"])
        if value < best[0]:
            best[:] = value, painting.image()
        progress.after(painting)
        return value, recorder.gradients()[0].astype("float64").ravel()

    pixels = painting.image().astype("float64").ravel()
    try:
        with contextlib.suppress(Enough):
            minimize(
                value_and_gradient, pixels, jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * pixels.size,
                options={"maxfun": 2 * settings.steps, "maxiter": 2 * settings.steps, "maxcor": 20},
            )  # fmt: skip
            progress.end()
    finally:  # also when it was stopped: a line search ends anywhere
        painting.put(best[1])


OPTIMIZERS = {"adam": adam, "lbfgs": lbfgs}


def finish(painting: Painting) -> np.ndarray:
    """The image as it is to be written: with the photograph's own colours, if they are to be kept."""
    image = np.clip(painting.image(), 0, 1)
    return with_colours_of(painting.content, image) if painting.settings.keep_colours else image


def with_colours_of(content: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The light and dark of `image` in the colours of `content` (Gatys 2016b, "Preserving Color", section 3.2).

    >>> grey = np.full((1, 1, 3), 0.5, "float32")
    >>> dark = with_colours_of(grey, np.array([[[1.0, 0.0, 0.0]]], "float32"))  # as red is
    >>> dark.astype("float64").round(2).tolist()
    [[[0.3, 0.3, 0.3]]]
    """
    from PIL import Image

    def planes(array):
        return Image.fromarray(np.round(255 * array).astype("uint8")).convert("YCbCr").split()

    (light, _, _), (_, blue, red) = planes(image), planes(content)
    return np.asarray(Image.merge("YCbCr", (light, blue, red)).convert("RGB"), "float32") / 255
