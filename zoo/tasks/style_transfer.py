"""Style transfer: a photograph in the style of another picture."""

from pathlib import Path

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.image import files as image_files
from zoo.data.image.style_pairs import StyleFeed
from zoo.errors import UsageError
from zoo.tasks.base import Measured, Network, Task

LONGEST = 1024  # pixels of the longer side of an answer
SHOWN = 4  # examples in the figure


def measured(network: Network, feed: StyleFeed, split: str) -> Measured:
    """How far each picture is from the style, as a share of how far its photograph was; and from the photograph."""
    truth, pictures = feed.pairs(split), network.predict(feed.batches(split))
    found, photographs = (terms_of(network.criterion, truth, each) for each in (pictures, truth[:, 0]))
    weights = network.criterion.term_weights
    loss = float(sum(weights[term] * found[term].mean() for term in weights))
    ratio = float((found["style"] / photographs["style"]).mean())
    return Measured(
        {"loss": loss, "style_ratio": ratio, "content_error": float(found["content"].mean())}, truth, pictures
    )


def terms_of(criterion, truth, pictures) -> dict[str, np.ndarray]:
    """The terms of a perceptual loss, a number for each picture; one picture at a time, for the memory's sake."""
    found = [criterion.terms(truth[row : row + 1], pictures[row : row + 1]) for row in range(len(truth))]
    return {
        term: np.concatenate([keras.ops.convert_to_numpy(keras.ops.stop_gradient(each[term])) for each in found])
        for term in criterion.term_weights
    }


def baselines(feed: StyleFeed) -> dict[str, float]:
    """The style's colours alone: each channel of the photograph shifted and stretched to the style's mean and
    deviation (Reinhard 2001, in RGB). The photograph as it is has the ratio 1."""
    criterion = losses.get(feed.card.loss, **feed.plan.loss_options)
    truth = feed.pairs("test")
    photographs, styles = truth[:, 0], truth[:, 1]
    coloured = np.clip(in_the_colours(photographs, styles), 0, 1)
    style = [terms_of(criterion, truth, pictures)["style"] for pictures in (coloured, photographs)]
    return {"the style's colours alone": float((style[0] / style[1]).mean())}


def in_the_colours(photographs, styles):
    """Photographs with the mean and deviation of each channel of the styles, (..., height, width, 3)."""
    axes = (-3, -2)
    mean, spread = photographs.mean(axes, keepdims=True), photographs.std(axes, keepdims=True)
    return (photographs - mean) / np.maximum(spread, 1e-6) * styles.std(axes, keepdims=True) + styles.mean(
        axes, keepdims=True
    )


def triptychs(feed: StyleFeed, measured: Measured):
    """Photograph, style and what became of them, a row for each of the first examples."""
    rows = [(*both, picture) for both, picture in zip(measured.truth[:SHOWN], measured.outputs)]
    return plots.gallery(rows, ("photograph", "style", "result"))


def stylise(network: Network, feed: StyleFeed, paths, folder: Path | None) -> list[str]:
    """Each picture in the style that the network was trained on, written beside its name into the folder."""
    inputs = [given.name for given in network.card.inputs]
    if inputs == ["image", "style"]:
        raise UsageError(
            f"{network.card.name} takes a photograph and a style together; from Python: "
            'zoo.inference.api.reopen(RUN).network.model({"image": ..., "style": ...}), or zoo stylize PHOTOGRAPH STYLE'
        )
    if inputs != ["image"]:
        raise UsageError(
            f"{network.card.name} learned the pictures it was trained on and answers no others: "
            "zoo stylize PHOTOGRAPH STYLE"
        )
    if folder is None:
        raise UsageError("a picture in a new style needs a place; name a folder for it: folder=")
    photographs = [image_files.read(path) for path in paths]
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for path, photograph in zip(paths, photographs):
        size = image_files.limited(photograph.size, LONGEST, path)
        picture = np.asarray(photograph.resize(tuple(side // 4 * 4 for side in size)), "float32")[None] / 255
        file = image_files.free_name(folder / f"{Path(path).stem}-styled.png")
        image_files.write(network.predict(picture)[0], file)
        lines.append(f"{path}: {file}")
    return lines


TASKS = {
    "style_transfer": Task(
        metric="style_ratio",
        minimise=True,
        feed=StyleFeed,
        loss=losses.Perceptual,
        measure=measured,
        baselines=baselines,
        pictures={"styled.png": triptychs},
        answer=stylise,
    )
}
