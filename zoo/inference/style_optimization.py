"""Style transfer as optimisation (Gatys 2016): an image whose pixels are the trainable weights, and two optimizers.

`StyleOptimization` is the model with its loss; `adam` and `lbfgs` lower the loss; `Progress` follows them on the
terminal.
"""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.backend import use_xla
from zoo.data.image.files import write
from zoo.inference.style_settings import StyleSettings

log = logging.getLogger("zoo")

BAR_INTERVAL = 10  # steps: to compute the terms of the loss takes a forward pass


class StyleOptimization:
    """An image on its way to a style.

    Args:
        content: the photograph, (height, width, 3) of 0 to 1.
        styles: likewise, of any sizes.
        settings: how; see `zoo.inference.style_settings.StyleSettings`.
        loss_options: which VGG the loss uses, as options of `zoo.losses.Perceptual`.
    """

    def __init__(
        self,
        content: np.ndarray,
        styles: Sequence[np.ndarray],
        settings: StyleSettings,
        loss_options: Mapping[str, Any],
    ):
        import keras

        from zoo import factory, losses

        self.settings, self.content = settings, content
        variation_weight = settings.variation_weight if settings.style_weight else 0.0  # no style: nothing to smooth
        self.loss = losses.Perceptual(
            style_weight=settings.style_weight, variation_weight=variation_weight, **loss_options
        ).hold(content, styles, settings.fractions or None)
        keras.utils.set_random_seed(settings.seed)  # here, and not before: a VGG in the loss draws numbers of its own
        self.model = factory.build("style_transfer", image_shape=content.shape)
        self.pixels = self.model.get_layer("picture")
        if settings.start == "content":
            self.set_image(content)

    def set_image(self, image: np.ndarray) -> None:
        """Set the pixels; `image` is (height, width, 3), or flat."""
        self.pixels.set_weights([np.asarray(image, "float32").reshape(1, -1)])

    def image(self) -> np.ndarray:
        """The image as it is now, (height, width, 3); its numbers may lie a little outside 0 to 1."""
        return self.pixels.get_weights()[0].reshape(self.content.shape)

    def terms(self) -> dict[str, float]:
        """The terms of the loss as they are now."""
        import keras

        terms = self.loss.terms(None, keras.ops.convert_to_tensor(self.image()[None]))
        return {term: float(keras.ops.stop_gradient(value)[0]) for term, value in terms.items()}

    def example(self) -> tuple[np.ndarray, np.ndarray]:
        """The one example for `fit`: image number 0, and a target that is not used. The loss holds the targets."""
        return np.zeros(1, "int32"), np.zeros((1, 1), "float32")

    def result(self) -> np.ndarray:
        """The image as it is to be written: with the photograph's own colours, if they are to be kept."""
        image = np.clip(self.image(), 0, 1)
        return with_colours_of(self.content, image) if self.settings.keep_colours else image


class Progress:
    """A progress bar with the terms of the loss, and previews beside the output file."""

    def __init__(self, settings: StyleSettings, output: Path | None):
        import keras

        self.settings, self.step = settings, 0
        self.previews = settings.previews(output)
        self.bar = keras.utils.Progbar(settings.steps, verbose=settings.verbose, stateful_metrics=["content", "style"])

    def on_step(self, optimization: StyleOptimization) -> None:
        """To be called after each step."""
        self.step += 1
        last = self.step == self.settings.steps
        if self.settings.verbose and (self.step % BAR_INTERVAL == 0 or last):
            terms = optimization.terms()
            self.bar.update(self.step, [(term, terms[term]) for term in ("content", "style")], finalize=last)
        if self.previews and self.step % self.settings.preview == 0 and not last:
            write(optimization.result(), self.previews[self.step // self.settings.preview - 1])

    def on_early_stop(self) -> None:
        """To be called where the optimizer ends before all steps are done."""
        if self.settings.verbose and self.step < self.settings.steps:
            self.bar.update(self.step, finalize=True)
            log.info(
                f"no step made it better after {self.step} of {self.settings.steps}: it is as good as this start allows"
            )


def adam(optimization: StyleOptimization, progress: Progress) -> None:
    """Keras's Adam, through `fit`: an epoch of one example is one step."""
    import keras

    settings, model = optimization.settings, optimization.model
    model.compile(keras.optimizers.Adam(settings.learning_rate), loss=optimization.loss, jit_compile=use_xla())
    last = [optimization.image()]

    def after_step(epoch: int, logs: Any) -> None:
        last[:] = [optimization.image()]
        progress.on_step(optimization)

    callback = keras.callbacks.LambdaCallback(on_epoch_end=after_step)
    inputs, targets = optimization.example()
    try:
        model.fit(inputs, targets, batch_size=1, epochs=settings.steps, verbose=0, shuffle=False, callbacks=[callback])
    except KeyboardInterrupt:  # in the middle of a step, when JAX's own arrays are nowhere
        optimization.set_image(last[0])
        raise


def lbfgs(optimization: StyleOptimization, progress: Progress) -> None:
    """SciPy's L-BFGS-B, within 0 to 1, as the paper's; a step is an evaluation of loss and gradient."""
    from scipy.optimize import minimize

    from zoo.optimizers.schedules import GradientRecorder

    class AllStepsDone(Exception):
        """SciPy checks its own limits between its line searches only."""

    settings, model, recorder = optimization.settings, optimization.model, GradientRecorder()
    model.compile(recorder, loss=optimization.loss, jit_compile=use_xla())
    best_loss, best_image = float("inf"), optimization.image()

    def loss_and_gradient(pixels: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best_loss, best_image
        if progress.step == settings.steps:
            raise AllStepsDone
        optimization.set_image(pixels)
        loss = float(model.train_on_batch(*optimization.example(), return_dict=True)["loss"])
        if loss < best_loss:
            best_loss, best_image = loss, optimization.image()
        progress.on_step(optimization)
        return loss, recorder.gradients()[0].astype("float64").ravel()

    pixels = optimization.image().astype("float64").ravel()
    try:
        with contextlib.suppress(AllStepsDone):
            minimize(
                loss_and_gradient, pixels, jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * pixels.size,
                options={"maxfun": 2 * settings.steps, "maxiter": 2 * settings.steps, "maxcor": 20},
            )  # fmt: skip
            progress.on_early_stop()
    finally:  # also when it was stopped: a line search ends anywhere
        optimization.set_image(best_image)


OPTIMIZERS = {"adam": adam, "lbfgs": lbfgs}


def with_colours_of(content: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The luminance of `image` with the colours of `content` (Gatys 2016b, "Preserving Color", section 3.2).

    >>> grey = np.full((1, 1, 3), 0.5, "float32")
    >>> dark = with_colours_of(grey, np.array([[[1.0, 0.0, 0.0]]], "float32"))  # as red is
    >>> dark.astype("float64").round(2).tolist()
    [[[0.3, 0.3, 0.3]]]
    """
    from PIL import Image

    def planes(array: np.ndarray) -> tuple[Image.Image, ...]:
        return Image.fromarray(np.round(255 * array).astype("uint8")).convert("YCbCr").split()

    (luminance, _, _), (_, blue, red) = planes(image), planes(content)
    return np.asarray(Image.merge("YCbCr", (luminance, blue, red)).convert("RGB"), "float32") / 255
