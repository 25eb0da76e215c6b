"""How pretrained weights want their pixels scaled."""

from dataclasses import dataclass

from zoo import records
from zoo.checks import check_weights
from zoo.errors import UsageError, unknown


@dataclass(frozen=True)
class Pixels:
    """How pixels of 0..255 were scaled in training: (value - mean) / std for each channel, in this order."""

    order: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def of(self, count: int) -> "Pixels":
        """The same for another number of channels.

        >>> PIXELS["caffe"].of(1)
        Pixels(order='grey', mean=(114.799...,), std=(1.0,))
        """
        if count == 1:
            return Pixels("grey", (sum(self.mean) / len(self.mean),), (sum(self.std) / len(self.std),))
        cycle = [k % len(self.mean) for k in range(count)]
        return Pixels(self.order, tuple(self.mean[k] for k in cycle), tuple(self.std[k] for k in cycle))


PIXELS = {  # the names and numbers of keras.applications
    "caffe": Pixels("bgr", (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    "caffe_rgb": Pixels("rgb", (0.48235 * 255, 0.45882 * 255, 0.40784 * 255), (1.0, 1.0, 1.0)),  # torchvision's SSD
    "torch": Pixels("rgb", (0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255)),
    "tf": Pixels("rgb", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "tf128": Pixels("rgb", (128.0, 128.0, 128.0), (128.0, 128.0, 128.0)),  # inside of its EfficientNetV2 S, M and L
}

CHANNELS_ALIKE = (
    "unit",
    "none",
    "standardise",
)  # of `zoo.data.SCALING`: one scale for all channels, or nothing known of each


def preprocessing_of(card: records.Card, weights: str, given: str | None) -> str:
    """How images are scaled for these weights; "" for fresh ones: as the card says.

    Raises:
        UsageError: for weights in a file, which do not say how, unless `given` does.
    """
    if given:
        check(given)
    if not weights:
        if given:
            raise UsageError(
                f"preprocessing is {given!r} without weights; fresh ones take what the card says: leave it out"
            )
        return ""
    known = {each.tag: each.preprocessing for each in card.weights}
    if weights in known:
        if given not in (None, known[weights]):
            raise UsageError(
                f"preprocessing is {given!r}; the weights {weights!r} were trained on {known[weights]!r}: leave it out"
            )
        return known[weights]
    check_weights(weights, known, card.name)  # what is not there says nothing
    if not card.inputs[0].dtype.startswith("float"):
        if given:
            raise UsageError(
                f"preprocessing is {given!r}; {card.name} reads tokens, which are not scaled: leave it out"
            )
        return ""
    if not given:
        raise UsageError(
            f"{weights} does not say what its weights were trained on; say it: --preprocessing caffe (BGR less the "
            "mean: keras.applications' VGG and ResNet), caffe_rgb (torchvision's SSD), torch (PyTorch's others, but "
            "for its GoogLeNet and Inception) or tf (-1..1: those two, and keras.applications' Inception)"
        )
    return given


def check(preprocessing: str) -> None:
    """Raise unless that is a name of a preprocessing, or ""."""
    if preprocessing and preprocessing not in (*PIXELS, *CHANNELS_ALIKE):
        raise unknown("preprocessing", preprocessing, [*PIXELS, *CHANNELS_ALIKE])
