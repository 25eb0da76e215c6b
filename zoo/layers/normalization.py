"""Normalisation: by the batch on a fused kernel, over neighbouring channels, and to the statistics of a style."""

from typing import Any

import keras
from keras import layers, ops

from zoo.backend import fused_batch_norm
from zoo.checks import is_number, is_whole
from zoo.errors import UsageError

MIN_EPSILON = 1.001e-5  # the least that cuDNN takes; below it, Keras's own code computes


class BatchNormalization(layers.BatchNormalization):
    """`keras.layers.BatchNormalization` on TensorFlow's fused kernel: the same layer, in fewer passes over memory.

    S. Ioffe and C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift", ICML 2015, Algorithms 1 and 2.

    On TensorFlow, Keras writes the normalisation as a mean, a variance, a product and a sum, each of which reads
    or writes all of the images; so does the way back. One kernel does it all, forward and backward
    (``benchmarks/batch_norm.py`` measures what that is worth). It is taken for images with channels last, (batch,
    height, width, channels), in float32, float16 or bfloat16. Masks, `renorm`, `synchronized`, other axes, ranks and
    dtypes, an epsilon below 1.001e-5 and the other backends go to Keras's own code.

    Arguments, weights, config and numbers (to rounding) are Keras's. A saved model names
    ``keras.layers.BatchNormalization``, and loads where the zoo is not installed; where `zoo.layers.normalization` is
    imported it comes back with this layer.
    """

    __module__ = "keras.layers"  # what Keras writes into a saved model beside the class's name

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if mask is not None or not self.fits_the_kernel(inputs):
            return super().call(inputs, training=training, mask=mask)
        if inputs.dtype == "bfloat16":  # not every device has the kernel for it; Keras computes in float32 as well
            inputs = ops.cast(inputs, "float32")
        outputs = self.fused(inputs, training=bool(training and self.trainable))
        return ops.cast(outputs, self.compute_dtype)

    def fits_the_kernel(self, inputs: Any) -> bool:
        """Whether the fused kernel can compute these inputs."""
        return bool(
            keras.backend.backend() == "tensorflow"
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and keras.backend.standardize_dtype(inputs.dtype) in ("float32", "float16", "bfloat16")
            and not self.renorm
            and not self.synchronized
            and self.epsilon >= MIN_EPSILON
        )

    def fused(self, x: Any, training: bool) -> Any:
        """(batch, height, width, channels) -> the same, and the running statistics moved if training."""
        channels = x.shape[-1]
        gamma = ops.cast(self.gamma, "float32") if self.scale else ops.ones(channels)
        beta = ops.cast(self.beta, "float32") if self.center else ops.zeros(channels)
        moving_mean = ops.cast(self.moving_mean, "float32")
        moving_variance = ops.cast(self.moving_variance, "float32")
        outputs, mean, variance = fused_batch_norm(
            x, gamma, beta, moving_mean, moving_variance, epsilon=self.epsilon, training=training
        )
        if training:
            self.moving_mean.assign(moving_mean * self.momentum + mean * (1.0 - self.momentum))
            self.moving_variance.assign(moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return outputs


keras.saving.get_custom_objects()["BatchNormalization"] = BatchNormalization


@keras.saving.register_keras_serializable("zoo")
class LocalResponseNormalization(layers.Layer):
    """Each activation divided by the strength of its neighbours: other channels at the same position.

    Krizhevsky, Sutskever & Hinton 2012, section 3.3, for channel i of N and a neighbourhood of `size` channels:

        b_i = a_i / (k + alpha * sum_j a_j^2) ^ beta,   j from max(0, i - size // 2) to min(N - 1, i + size // 2)

    Elsewhere the same is spelled ``tf.nn.local_response_normalization(x, size // 2, k, alpha, beta)`` or
    ``torch.nn.LocalResponseNorm(size, alpha * size, beta, k)``, which, like Caffe, divides its `alpha` by `size`.

    Shapes: (batch, ..., channels) -> the same. Squares are summed in float32 or wider: half precision ends at 256^2.

    Args:
        size: how many channels take part, an odd number.
        alpha: the weight of each square.
        beta: the exponent.
        k: the constant that is added, so that nothing is divided by 0.

    Raises:
        UsageError: for a `size` that is even or not positive.

    >>> layer = LocalResponseNormalization(size=3, alpha=1.0, beta=1.0, k=1.0)
    >>> [round(float(b), 3) for b in layer(ops.array([[1.0, 2.0, 3.0]]))[0]]  # 1/(1 + 1+4), ...
    [0.167, 0.133, 0.214]
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0, **kwargs: Any):
        super().__init__(**kwargs)
        if not is_whole(size) or size % 2 == 0:
            raise UsageError(f"size is {size!r}; expected an odd number of channels: 1, 3, 5, ...")
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def call(self, x: Any) -> Any:
        wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
        before, channels = self.size // 2, x.shape[-1]
        squares = ops.pad(ops.square(wide), [[0, 0]] * (len(x.shape) - 1) + [[before, before]])
        total = sum(squares[..., shift : shift + channels] for shift in range(self.size))
        return ops.cast(wide / (self.k + self.alpha * total) ** self.beta, x.dtype)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}


@keras.saving.register_keras_serializable("zoo")
class ScaledL2Normalization(layers.Layer):
    """The channels of each position as a vector of length 1, times a number for each channel that is learned.

    W. Liu, A. Rabinovich and A. Berg, "ParseNet: Looking Wider to See Better", 2015, section 3.3: maps of different
    layers have values of different sizes, and a detector that reads several looks at the largest alone.

    Shapes: (batch, ..., channels) -> the same. Squares are summed in float32: half precision ends at 256^2.

    Args:
        start: of each number; the paper's 20.

    >>> ops.convert_to_numpy(ScaledL2Normalization(10.0)(ops.convert_to_tensor([[3.0, 4.0]]))).round(4).tolist()
    [[6.0, 8.0]]
    """

    def __init__(self, start: float = 20.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.start = start

    def build(self, shape: tuple[int | None, ...]) -> None:
        starts = keras.initializers.Constant(self.start)
        self.scale = self.add_weight(shape=(shape[-1],), initializer=starts, name="scale")

    def call(self, x: Any) -> Any:
        wide = ops.cast(x, "float32")
        length = ops.rsqrt(ops.maximum(ops.sum(ops.square(wide), axis=-1, keepdims=True), 1e-24))
        return ops.cast(wide * length * ops.cast(self.scale, "float32"), self.compute_dtype)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return 0  # normalisation is not counted

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start}


@keras.saving.register_keras_serializable("zoo")
class AdaptiveInstanceNormalization(layers.Layer):
    """Maps of photographs take the mean and the standard deviation, channel by channel, of maps of styles.

    Huang & Belongie 2017, equation 8. Shapes: (2 batch, height, width, channels), all photographs and then all styles,
    -> (batch, height, width, channels).

    Args:
        strength: 0 leaves the photographs' maps as they are, 1 takes the styles' statistics whole (equation 14).
        epsilon: added to variances.

    >>> maps = ops.reshape(ops.convert_to_tensor([1.0, 3.0, 10.0, 30.0]), (2, 1, 2, 1))
    >>> ops.convert_to_numpy(AdaptiveInstanceNormalization()(maps))[0, 0, :, 0].round(2).tolist()
    [10.0, 30.0]
    """

    def __init__(self, strength: float = 1.0, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        if not is_number(strength, 0, 1):
            raise UsageError(f"strength is {strength!r}; expected a number from 0 to 1")
        self.strength, self.epsilon = strength, epsilon

    def call(self, x: Any) -> Any:
        x = ops.cast(x, "float32")  # squares of half precision end at 256^2
        mean, variance = ops.moments(x, axes=(1, 2), keepdims=True)
        std, half = ops.sqrt(variance + self.epsilon), ops.shape(x)[0] // 2
        styled = (x[:half] - mean[:half]) / std[:half] * std[half:] + mean[half:]
        return ops.cast(self.strength * styled + (1 - self.strength) * x[:half], self.compute_dtype)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *rest = shape
        return (batch and batch // 2, *rest)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strength": self.strength, "epsilon": self.epsilon}
