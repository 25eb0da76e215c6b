"""Records of weights that Keras and torchvision publish."""

from typing import Any

from zoo.records import Expected, Weights, replace

KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"
APPLICATIONS = "keras.io/api/applications"
TORCHVISION = "https://download.pytorch.org/models/"


def published(accuracy: float, top5: float, source: str) -> tuple[Expected, Expected]:
    """What the publisher says of weights for ImageNet."""
    return (
        Expected("accuracy", accuracy, source, measured=False),
        Expected("top5_accuracy", top5, source, measured=False),
    )


def keras_applications(
    path: str,
    *,
    md5: str,
    size: int | None,
    md5_notop: str,
    size_notop: int | None,
    accuracy: float,
    top5: float,
    **fields: Any,
) -> tuple[Weights, Weights]:
    """The two files of keras.applications: with the last layers of a network, and without.

    Args:
        path: of the files below `KERAS`, as far as the network's name.
        md5, size: of the whole file; `md5_notop`, `size_notop`: of the file without top.
        accuracy, top5: of the table in Keras's documentation.
        **fields: the others of `Weights`.
    """
    whole = Weights(
        tag="imagenet",
        url=f"{KERAS}{path}_weights_tf_dim_ordering_tf_kernels.h5",
        hash=f"md5:{md5}",
        size=size,
        published=published(accuracy, top5, APPLICATIONS),
        **fields,
    )
    notop = replace(
        whole,
        tag="imagenet_notop",
        url=f"{KERAS}{path}_weights_tf_dim_ordering_tf_kernels_notop.h5",
        hash=f"md5:{md5_notop}",
        size=size_notop,
        top=False,
        published=(),
    )
    return whole, notop


def keras_file(
    path: str, hash: str, *, top: bool = True, accuracy: float | None = None, top5: float | None = None,
    host: str = KERAS, **fields: Any,
) -> Weights:  # fmt: skip
    """One file of keras.applications: ``"imagenet"``, or ``"imagenet_notop"`` where it has no `top`.

    Args:
        path: below `host`.
        hash: that Keras ships, or "" where it ships none.
        accuracy, top5: what Keras publishes of it.
        **fields: the others of `Weights`.
    """
    found = {"accuracy": accuracy, "top5_accuracy": top5}
    claims = [Expected(metric, value, APPLICATIONS, measured=False) for metric, value in found.items() if value]
    tag = "imagenet" if top else "imagenet_notop"
    return Weights(tag=tag, url=f"{host}{path}", hash=hash, top=top, published=tuple(claims), **fields)


def torchvision(
    name: str, sha256: str, *, accuracy: float, top5: float, source: str = "torchvision's documentation, one crop",
    preprocessing: str = "torch", tag: str = "imagenet", **fields: Any,
) -> Weights:  # fmt: skip
    """A file of torchvision, whose name ends in the first digits of its digest; no more of that is published."""
    return Weights(
        tag=tag,
        url=f"{TORCHVISION}{name}-{sha256}.pth",
        hash=f"sha256:{sha256}",
        preprocessing=preprocessing,
        licence="BSD-3-Clause (torchvision)",
        published=published(accuracy, top5, source),
        **fields,
    )
