"""Layers that more than one family needs."""

import keras
from keras import layers, ops

SMALLEST_EPSILON = 1.001e-5  # the least that cuDNN takes; below it, Keras's own sums


class BatchNormalization(layers.BatchNormalization):
    """`keras.layers.BatchNormalization` on TensorFlow's fused kernel: the same layer, in fewer passes over memory.

    S. Ioffe and C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift", ICML 2015, Algorithms 1 and 2.

    On TensorFlow, Keras writes the normalisation as a mean, a variance, a product and a sum, each of which reads
    or writes all of the pictures; so does the way back. One kernel does it all, forward and backward
    (``benchmarks/batch_norm.py`` measures what that is worth). It is taken for pictures with channels last, (batch,
    height, width, channels), in float32, float16 or bfloat16. Masks, `renorm`, `synchronized`, other axes, ranks and
    dtypes, an epsilon below 1.001e-5 and the other backends go to Keras's own code.

    Arguments, weights, config and numbers (to rounding) are Keras's. A saved model names
    ``keras.layers.BatchNormalization``, and loads where the zoo is not installed; where `zoo.layers` is imported it
    comes back with this layer.
    """

    __module__ = "keras.layers"  # what Keras writes into a saved model beside the class's name

    def call(self, inputs, training=None, mask=None):
        if mask is not None or not self.fits_the_kernel(inputs):
            return super().call(inputs, training=training, mask=mask)
        if inputs.dtype == "bfloat16":  # not every device has the kernel for it; Keras computes in float32 as well
            inputs = ops.cast(inputs, "float32")
        outputs = self.fused(inputs, training=bool(training and self.trainable))
        return ops.cast(outputs, self.compute_dtype)

    def fits_the_kernel(self, inputs):
        return (
            keras.backend.backend() == "tensorflow"
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and keras.backend.standardize_dtype(inputs.dtype) in ("float32", "float16", "bfloat16")
            and not self.renorm
            and not self.synchronized
            and self.epsilon >= SMALLEST_EPSILON
        )

    def fused(self, x, training):
        """(batch, height, width, channels) -> the same, and the running statistics moved if training."""
        import tensorflow as tf

        channels = x.shape[-1]
        gamma = ops.cast(self.gamma, "float32") if self.scale else ops.ones(channels)
        beta = ops.cast(self.beta, "float32") if self.center else ops.zeros(channels)
        moving_mean = ops.cast(self.moving_mean, "float32")
        moving_variance = ops.cast(self.moving_variance, "float32")
        none = tf.constant([], "float32")  # in training the kernel wants no statistics
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=gamma,
            offset=beta,
            mean=none if training else moving_mean,
            variance=none if training else moving_variance,
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            # The kernel's variance is for n - 1 degrees of freedom; Keras keeps the one for n, which for n = 1 is 0.
            n = tf.cast(tf.size(x) // channels, "float32")
            variance = tf.math.multiply_no_nan(variance, (n - 1.0) / n)
            self.moving_mean.assign(moving_mean * self.momentum + mean * (1.0 - self.momentum))
            self.moving_variance.assign(moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return outputs


keras.saving.get_custom_objects()["BatchNormalization"] = BatchNormalization
