"""The two terms of the evidence lower bound (ELBO), in nats for each example.

D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014, equation 3:

    log p(x)  >=  E_q(z|x) [ log p(x|z) ]  -  KL( q(z|x) || p(z) )
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class BernoulliLikelihood(keras.Loss):
    """-log p(x|z) of pixels that are on or off: the sum over them, not the mean, for the other term is a sum too.

    Grey above one half is on. (Grey itself has no probability under a Bernoulli distribution: G. Loaiza-Ganem and J.
    Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational autoencoders", NeurIPS 2019.)

    Shapes: pixels (batch, ...) of 0 to 1, and logits of the same shape.

    >>> round(float(BernoulliLikelihood()(ops.ones((1, 2, 2, 1)), ops.zeros((1, 2, 2, 1)))), 4)  # 4 ln 2
    2.7726
    """

    def __init__(self, name: str = "bernoulli_likelihood", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits = ops.convert_to_tensor(y_pred)
        on = ops.cast(ops.convert_to_tensor(y_true) > 0.5, logits.dtype)
        each = ops.softplus(logits) - on * logits
        return ops.sum(each, axis=list(range(1, len(logits.shape))))  # (batch,)


@keras.saving.register_keras_serializable("zoo")
class NormalDivergence(keras.Loss):
    """KL( N(mean, variance) || N(0, 1) ), beta times: sum of (mean^2 + variance - log variance - 1) / 2.

    Kingma & Welling 2014, appendix B, in closed form; beta from I. Higgins et al., "beta-VAE", ICLR 2017. It has no
    targets: those that it gets are not looked at.

    Shapes: anything, and (batch, 2 size): the means and then the logarithms of the variances.

    >>> round(float(NormalDivergence()(ops.zeros((1, 1)), ops.convert_to_tensor([[1.0, 0.0]]))), 4)
    0.5
    """

    def __init__(self, beta: float = 1.0, name: str = "normal_divergence", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.beta = beta

    def call(self, y_true: Any, y_pred: Any) -> Any:
        mean, log_variance = ops.split(ops.convert_to_tensor(y_pred), 2, axis=-1)
        return self.beta * 0.5 * ops.sum(mean**2 + ops.exp(log_variance) - log_variance - 1.0, axis=-1)  # (batch,)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta": self.beta}
