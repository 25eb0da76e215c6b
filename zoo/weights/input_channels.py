"""A first convolution for another number of input channels than its weights were trained on.

One channel, from three. A grey image is the same in red, green and blue, so a convolution over the three copies is
one convolution with the sum of the three kernels. That is exact where the three channels are scaled alike, as for
"tf". Where each has its own mean and deviation ("caffe", "torch"), one grey value g reaches them as three numbers:

    x_c = (g - mean_c) / std_c = (std x + mean - mean_c) / std_c      with x = (g - mean) / std

So the kernels are summed with the factors std / std_c, and what the means contribute, the sum over the kernel of
(mean - mean_c) / std_c, is a constant that goes into the bias, or into the running mean of the normalisation behind it.
The grey `mean` and `std` are the averages over the channels: `PIXELS["caffe"].of(1)`. The result is the RGB network's
to rounding, except along the border, where a padding of zeros means black to neither: no single channel can
say "three different greys", and there the constant is too much by what the padding would have left out.

Any other number n, from m: channel k takes the kernel of channel k mod m, times m / n, and its mean and deviation. The
sum over all channels keeps its size, and m channels repeated give what the m gave alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import UsageError
from zoo.preprocessing import PIXELS


@dataclass(frozen=True)
class FirstLayer:
    """The variables of a first convolution that depend on the input's channels."""

    kernel: Any  # (height, width, channels, maps)
    bias: Any = None  # a constant is added here ...
    moving_mean: Any = None  # ... or taken off here


def adapted(kernel: np.ndarray, count: int, preprocessing: str = "") -> tuple[np.ndarray, np.ndarray]:
    """A kernel (..., channels, maps) for `count` channels, and the constant (maps,) to add to its output.

    >>> kernel = np.arange(6.0).reshape(1, 1, 3, 2)
    >>> adapted(kernel, 1)[0].tolist(), adapted(kernel, 6)[0][0, 0, 3].tolist()
    ([[[[6.0, 9.0]]]], [0.0, 0.5])
    """
    adjusted = kernel.astype("float64")
    channels = kernel.shape[-2]
    shift = np.zeros(kernel.shape[-1])
    if count != 1:
        adjusted = adjusted[..., [k % channels for k in range(count)], :] * (channels / count)
    elif preprocessing in PIXELS and channels == len(PIXELS[preprocessing].mean):
        colours, grey = PIXELS[preprocessing], PIXELS[preprocessing].of(1)
        offsets = (grey.mean[0] - np.array(colours.mean)) / np.array(colours.std)
        shift = np.tensordot(offsets, adjusted.sum(axis=tuple(range(kernel.ndim - 2))), 1)
        adjusted = (adjusted * (grey.std[0] / np.array(colours.std))[:, np.newaxis]).sum(axis=-2, keepdims=True)
    else:
        adjusted = adjusted.sum(axis=-2, keepdims=True)
    return adjusted.astype(kernel.dtype), shift.astype(kernel.dtype)


def adapt(first: FirstLayer | None, values: dict[int, np.ndarray], preprocessing: str) -> None:
    """Change the arrays that are on their way into a first layer, by the `id` of their variable; None: nothing."""
    if first is None:
        return
    kernel, shift = adapted(values[id(first.kernel)], first.kernel.shape[-2], preprocessing)
    values[id(first.kernel)] = kernel
    if first.bias is not None:
        values[id(first.bias)] = values[id(first.bias)] + shift
    elif first.moving_mean is not None:
        values[id(first.moving_mean)] = values[id(first.moving_mean)] - shift
    elif np.any(shift):
        raise UsageError(
            f"{first.kernel.path} has neither a bias nor a normalisation behind it that could take up the means of the "
            f"channels; build with {kernel.shape[-2]} input channels"
        )
