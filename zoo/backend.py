"""What each backend does in its own way: the only file, beside the data, that names one."""

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any


def gpus_used(backend: str) -> list[str]:
    """The GPUs that the backend computes on."""
    if backend == "tensorflow":
        import tensorflow as tf

        return [device.name for device in tf.config.list_physical_devices("GPU")]
    if backend == "jax":
        import jax

        return [str(device) for device in jax.devices() if device.platform in ("gpu", "cuda", "rocm")]
    if backend == "torch":
        import torch

        return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return []


def batch_divisor() -> int:
    """What JAX wants every batch to be a multiple of: the devices that `keras.distribution` divides it among."""
    import keras

    if keras.backend.backend() != "jax":
        return 1
    distribution = keras.distribution.distribution()
    axis = getattr(distribution, "batch_dim_name", None)
    if axis is None:
        return 1
    mesh = distribution.device_mesh
    return int(dict(zip(mesh.axis_names, mesh.shape))[axis])


def tensorflow_build() -> str:
    """What the installed TensorFlow was built for."""
    try:
        import tensorflow as tf
    except ImportError:
        return "no build"
    build = tf.sysconfig.get_build_info()
    if not build.get("is_cuda_build"):
        return "CPU build"
    return f"built for CUDA {build.get('cuda_version', '?')}, cuDNN {build.get('cudnn_version', '?')}"


@contextlib.contextmanager
def random_states_kept() -> Iterator[None]:
    """Leave Python's, NumPy's and the backend's random numbers as they were, whatever is seeded meanwhile.

    A global seed of TensorFlow that stays behind would give every epoch of somebody's own `fit` on arrays one order.
    """
    import numpy as np

    python, arrays = random.getstate(), np.random.get_state()
    tf, torch = sys.modules.get("tensorflow"), sys.modules.get("torch")
    graph_seed = tf.compat.v1.random.get_seed(None)[0] if tf else None
    torch_state = torch.get_rng_state() if torch else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
        if tf:
            tf.random.set_seed(graph_seed)
        if torch:
            torch.set_rng_state(torch_state)


@contextlib.contextmanager
def dtype_policy(precision: str) -> Iterator[None]:
    """Build under a Keras dtype policy."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def gradient(function: Callable[[Any], Any], at: Any) -> Any:
    """The gradient of a function from a tensor to a number, at one tensor."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(at)
            value = function(at)
        return tape.gradient(value, at)
    if backend == "jax":
        import jax

        return jax.grad(function)(at)
    import torch

    at = at.detach().requires_grad_()
    return torch.autograd.grad(function(at), at)[0]


def fused_batch_norm(x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, *, epsilon: float, training: bool) -> Any:
    """TensorFlow's kernel for images (batch, height, width, channels).

    Returns:
        The normalised images; and, if training, their mean and their variance by channel, divided by n numbers (the
        kernel's own is divided by n - 1; for n = 1 it is 0).
    """
    import tensorflow as tf

    none = tf.constant([], "float32")  # in training the kernel wants no statistics
    outputs, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=gamma,
        offset=beta,
        mean=none if training else mean,
        variance=none if training else variance,
        epsilon=epsilon,
        is_training=training,
    )
    n = tf.cast(tf.size(x) // x.shape[-1], "float32")
    return outputs, batch_mean, tf.math.multiply_no_nan(batch_variance, (n - 1.0) / n)
