"""What a discriminator and a generator want of each other, by the logits of real and of generated examples.

non_saturating  I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, section 3
hinge           J. Lim and J. Ye, "Geometric GAN", 2017, equations 25 and 27
wasserstein     M. Arjovsky, S. Chintala and L. Bottou, "Wasserstein GAN", ICML 2017, with the gradient penalty of
                I. Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017, equation 3
least_squares   X. Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017, equation 9
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from zoo.checks import is_number
from zoo.errors import UsageError, unknown

# By objective: what the discriminator loses on an example that is real by so much (1, or 0), and the generator on its
# own. Both from logits.
OBJECTIVES: Mapping[str, tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]] = {
    "non_saturating": (lambda real, f: ops.softplus(f) - real * f, lambda f: ops.softplus(-f)),
    "saturating": (lambda real, f: ops.softplus(f) - real * f, lambda f: -ops.softplus(f)),
    "hinge": (lambda real, f: ops.relu(1.0 - (2.0 * real - 1.0) * f), lambda f: -f),
    "wasserstein": (lambda real, f: -(2.0 * real - 1.0) * f, lambda f: -f),
    "least_squares": (lambda real, f: (f - real) ** 2, lambda f: (f - 1.0) ** 2),
}
BETWEEN = {"least_squares": 0.5}  # what lies between "generated" and "real", where that is not 0


@keras.saving.register_keras_serializable("zoo")
class Adversarial(keras.Loss):
    """The discriminator's loss by itself; `of_generator` is the other side's.

    Shapes: 1 for real and 0 for generated examples (batch, 1), and logits (batch, 1); or (batch, height, width, 1),
    where each patch of an image is judged.

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

    @property
    def threshold(self) -> float:
        """The logit above which an example is held to be real."""
        return BETWEEN.get(self.objective, 0.0)

    def of_generator(self, logits: Any) -> Any:
        """The mean over generated examples, by their logits (batch, 1)."""
        return ops.mean(OBJECTIVES[self.objective][1](ops.convert_to_tensor(logits)))

    def get_config(self) -> dict[str, Any]:
        own = ("objective", "label_smoothing", "gradient_penalty")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable("zoo")
class CycleAdversarial(Adversarial):
    """What two generators that undo each other, and their discriminators, want.

    J.-Y. Zhu, T. Park, P. Isola and A. Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
    Networks", ICCV 2017, equation 3 and sections 4 and 5.2: least squares; plus, with a weight, how far (L1) an image
    is from what comes back when it is translated there and back; plus, if wanted, how far an image of the target set
    is from its own translation. By itself it is the loss of a discriminator, as `Adversarial` is.

    Args:
        objective: of `OBJECTIVES`.
        cycle_weight: of the cycle-consistency loss, lambda of equation 3; 0 leaves it out.
        identity_weight: of the identity loss, beside an adversarial loss of 1; the paper takes half of `cycle_weight`
            for paintings, and none elsewhere.
        label_smoothing: as of `Adversarial`; the paper has none.

    Raises:
        UsageError: for another objective, or a weight below 0.

    >>> float(CycleAdversarial().distance([[1.0, 0.0]], [[0.5, 0.0]]))
    0.25
    """

    def __init__(
        self,
        objective: str = "least_squares",
        cycle_weight: float = 10.0,
        identity_weight: float = 0.0,
        label_smoothing: float = 0.0,
        name: str = "cycle_adversarial",
        **kwargs: Any,
    ):
        super().__init__(objective, label_smoothing, name=name, **kwargs)
        for word, value in (("cycle_weight", cycle_weight), ("identity_weight", identity_weight)):
            if not is_number(value, 0):
                raise UsageError(f"{word} is {value!r}; expected a number of at least 0, as 10")
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight

    def distance(self, wanted: Any, found: Any) -> Any:
        """The mean over images, pixels and channels of |wanted - found|."""
        return ops.mean(ops.abs(ops.convert_to_tensor(wanted) - ops.convert_to_tensor(found)))

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "cycle_weight": self.cycle_weight, "identity_weight": self.identity_weight}
        del config["gradient_penalty"]
        return config
