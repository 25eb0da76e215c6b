"""What each backend does in its own way: the only file, beside the data, that names one."""

import contextlib
import importlib.util
import inspect
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

BACKENDS = ("tensorflow", "jax", "torch")


def wanted() -> str:
    """The backend that Keras will take: by `KERAS_BACKEND`, else by its settings."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    with contextlib.suppress(OSError, ValueError, AttributeError):
        settings = json.loads((Path(home) / "keras.json").read_text(encoding="utf-8"))
        return str(os.environ.get("KERAS_BACKEND") or settings.get("backend", BACKENDS[0]))
    return os.environ.get("KERAS_BACKEND") or BACKENDS[0]


def missing() -> str:
    """The backend that Keras will take and that is not installed; "" if it is.

    Where nobody has named one, another one that is installed takes its place. (Keras writes "tensorflow" into its
    settings by itself.)
    """
    named = wanted()
    if named not in BACKENDS or importlib.util.find_spec(named):
        return ""
    others = [each for each in BACKENDS if importlib.util.find_spec(each)]
    if "KERAS_BACKEND" in os.environ or not others:
        return named
    os.environ["KERAS_BACKEND"] = others[0]
    return ""


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


def random_states() -> list[Any] | None:
    """PyTorch's own random numbers as arrays, of the processor and of each GPU: there Keras's dropout draws from them
    where it has no seed. None on other backends."""
    import keras

    if keras.backend.backend() != "torch":
        return None
    import torch

    return [state.numpy() for state in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())]


def put_random_states(states: list[Any]) -> None:
    """Put them back; those of GPUs that are not there are left out."""
    import torch

    processor, *gpus = map(torch.from_numpy, states)
    torch.set_rng_state(processor)
    for number, state in enumerate(gpus[: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, number)


@contextlib.contextmanager
def released() -> Iterator[None]:
    """Let go of what TensorFlow would keep as long as the process lives, of each training and evaluation by Keras.

    Keras sums gradients over devices by a function with a gradient of its own, and TensorFlow registers each such
    gradient for good, with the graph around it; nobody differentiates these sums once a training has ended. And Keras
    makes a ``tf.data.Dataset`` of a `PyDataset`, whose functions TensorFlow keeps for good, with the data behind them.
    """
    known = len(functions_kept())
    try:
        yield
    finally:
        if "tensorflow" in sys.modules:
            from tensorflow.python.framework import ops

            gradients = ops.gradient_registry._registry
            own = [name for name in gradients if name.startswith("CustomGradient-")]
            for name in own:
                if _is_sum_over_devices(gradients[name]["type"]):
                    del gradients[name]
            kept = functions_kept()
            kept[known:] = [function for function in kept[known:] if not _is_of_py_dataset(function)]


def functions_kept() -> list[Any]:
    """Python's functions in datasets: those of `tf.numpy_function`, and of generators."""
    tf = sys.modules.get("tensorflow")
    return getattr(tf.compat.v1.get_default_graph(), "_py_funcs_used_in_graph", []) if tf else []


def _enclosed(function: Any, name: str) -> Any:
    """What a function encloses under this name."""
    return inspect.getclosurevars(function).nonlocals.get(name) if inspect.isfunction(function) else None


def _is_sum_over_devices(gradient: Any) -> bool:
    """Whether a registered gradient is that of `tf.distribute.ReplicaContext.all_reduce`."""
    own = _enclosed(_enclosed(gradient, "tape_grad_fn"), "grad_fn")
    return ".all_reduce." in getattr(own, "__qualname__", "")


def _is_of_py_dataset(function: Any) -> bool:
    """Whether a function of a dataset is one of those that Keras makes of a `PyDataset`."""
    wrapped = _enclosed(function, "func")
    state = getattr(wrapped, "__self__", None) or _enclosed(wrapped, "generator_state")
    return getattr(getattr(state, "_generator", None), "__module__", "").startswith("keras.")


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


def gradient(function: Callable[[Any], Any], at: Any, *, differentiable: bool = False) -> Any:
    """The gradient of a function from a tensor to a number, at one tensor.

    Args:
        function: made of `keras.ops`.
        at: where.
        differentiable: whether the gradient is part of something that is differentiated in turn; by the tensor itself
            it is not, then, on PyTorch.
    """
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
    return torch.autograd.grad(function(at), at, create_graph=differentiable)[0]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors that is called many times: a graph on TensorFlow, a program on JAX, itself on PyTorch.

    What it encloses, as the weights of a model, must stay as it is: JAX has it in the program.
    """
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return cast(Callable[..., Any], tf.function(function))
    if backend == "jax":
        import jax

        return cast(Callable[..., Any], jax.jit(function))
    return function


def runs_eagerly() -> bool:
    """Whether operations outside any compiled function cost little. JAX compiles each of them, for each shape."""
    import keras

    return bool(keras.backend.backend() != "jax")


def use_xla() -> bool | str:
    """For `jit_compile`: what Keras chooses, but no XLA with TensorFlow on a CPU.

    There it compiles for seconds, its convolutions are slower than TensorFlow's own, and so are the steps of a decoder
    (`benchmarks/generation.py`).
    """
    import keras

    on_cpu = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
    return False if on_cpu else "auto"


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
