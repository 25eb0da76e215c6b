"""What a discriminator and a generator want of each other, by the logits of real and of generated examples.

non_saturating  I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, section 3
hinge           J. Lim and J. Ye, "Geometric GAN", 2017, equations 25 and 27
wasserstein     M. Arjovsky, S. Chintala and L. Bottou, "Wasserstein GAN", ICML 2017, with the gradient penalty of
                I. Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017, equation 3
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from zoo.errors import unknown

# By objective: what the discriminator loses on an example that is real by so much (1, or 0), and the generator on its
# own. Both from logits.
OBJECTIVES: Mapping[str, tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]] = {
    "non_saturating": (lambda real, f: ops.softplus(f) - real * f, lambda f: ops.softplus(-f)),
    "saturating": (lambda real, f: ops.softplus(f) - real * f, lambda f: -ops.softplus(f)),
    "hinge": (lambda real, f: ops.relu(1.0 - (2.0 * real - 1.0) * f), lambda f: -f),
    "wasserstein": (lambda real, f: -(2.0 * real - 1.0) * f, lambda f: -f),
}


@keras.saving.register_keras_serializable("zoo")
class Adversarial(keras.Loss):
    """The discriminator's loss by itself; `of_generator` is the other side's.

    Shapes: 1 for real and 0 for generated examples (batch, 1), and logits (batch, 1).

    Args:
        objective: of `OBJECTIVES`. "saturating" is the game of Goodfellow's equation 1, whose gradient vanishes where
            the discriminator is sure.
        label_smoothing: real examples are real by 1 less this much, and generated ones not at all (one-sided: T.
            Salimans et al., "Improved Techniques for Training GANs", NeurIPS 2016, section 3.4).
        gradient_penalty: how much counts that the discriminator's gradient has another length than 1 between real and
            generated examples; Gulrajani 2017 take 10, with "wasserstein" and without batch normalisation.

    Raises:
        UsageError: for another objective.

    >>> loss = Adversarial("hinge")
    >>> float(loss([[1.0]], [[0.25]])), float(loss([[0.0]], [[0.25]])), float(loss.of_generator([[0.25]]))
    (0.75, 1.25, -0.25)
    """

    def __init__(
        self,
        objective: str = "non_saturating",
        label_smoothing: float = 0.0,
        gradient_penalty: float = 0.0,
        name: str = "adversarial",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        if objective not in OBJECTIVES:
            raise unknown("objective", objective, OBJECTIVES)
        self.objective, self.label_smoothing, self.gradient_penalty = objective, label_smoothing, gradient_penalty

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits = ops.convert_to_tensor(y_pred)
        real = ops.cast(y_true, logits.dtype) * (1.0 - self.label_smoothing)
        return ops.mean(OBJECTIVES[self.objective][0](real, logits), axis=-1)  # (batch,)

    def of_generator(self, logits: Any) -> Any:
        """The mean over generated examples, by their logits (batch, 1)."""
        return ops.mean(OBJECTIVES[self.objective][1](ops.convert_to_tensor(logits)))

    def get_config(self) -> dict[str, Any]:
        own = ("objective", "label_smoothing", "gradient_penalty")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
