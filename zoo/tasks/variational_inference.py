"""Images from a code that is a distribution: how likely they are, and new ones.

A network has two outputs: "pixels", the logits of p(x|z), and "latent", the means and log variances of q(z|x); a layer
"z" is where its decoder begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from zoo import losses, plots
from zoo.baselines.bernoulli import BernoulliMixture
from zoo.data.image.arrays import AnyTargets
from zoo.data.image.files import free_name
from zoo.metrics.generation import nearest_distance
from zoo.records import Card
from zoo.tasks._generation import STEPS, DrawingTask, noise_of
from zoo.tasks.base import Evaluation, Network, Sample, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE_VALUES = 10**8  # numbers in a data set beyond which no mixture is fitted: minutes
COMPONENTS = 20  # of the mixture
SAMPLES = 50  # of z for each image, of a measurement
AT_ONCE = 2**22  # numbers that are decoded at a time
PLOTTED = 12
HALF = 0.5  # grey above which a pixel is on


@dataclass(frozen=True)
class Measured:
    """What a network made of a split."""

    images: np.ndarray  # those that are plotted, 0 to 1
    again: np.ndarray  # what the decoder makes of their mean codes
    drawn: np.ndarray  # new ones
    nearest: np.ndarray  # the training image next to each of these
    between: np.ndarray  # from the first image to the second
    codes: np.ndarray  # of all, (examples, latent size)


class VariationalInference(DrawingTask):
    metric = "log_likelihood"
    other_metrics = ("elbo",)
    data_module = AnyTargets

    def losses(self, heads: Sequence[str], chosen: keras.Loss | None) -> dict[str, keras.Loss]:
        """-ELBO in two terms; a recipe's `loss_options` of "normal_divergence" are those of the second."""
        return {"pixels": losses.BernoulliLikelihood(), "latent": chosen or losses.NormalDivergence()}

    def loss(self) -> keras.Loss:
        return losses.NormalDivergence()

    def targets(self, x: Any, y: Any, heads: Sequence[str]) -> Any:
        return dict.fromkeys(heads, x)

    def evaluate(self, network: Network, data: AnyTargets, split: str) -> Evaluation:
        """In nats for each image: a bound close below log p(x), the ELBO, which is farther below, and its two terms.

        The first is the importance weighted one, log of the mean of p(x, z) / q(z|x) over 50 z (Y. Burda, R. Grosse and
        R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, equation 8).
        """
        x, labels = data.arrays(split)
        mean, log_variance = posterior(network, x)
        terms = log_weights(network, x, mean, log_variance)
        divergence = divergence_of(mean, log_variance)
        likelihood = np.concatenate([each["likelihood"].mean(1) for each in terms])
        elbo = likelihood - divergence
        weights = np.concatenate([each["weight"] for each in terms])  # (images, samples)
        bound = np.logaddexp.reduce(weights, axis=1) - math.log(weights.shape[1])
        metrics = {
            "loss": -float(elbo.mean()),
            "elbo": float(elbo.mean()),
            "log_likelihood": float(bound.mean()),
            "divergence": float(divergence.mean()),
            "reconstruction": float(likelihood.mean()),
        }
        few = slice(0, PLOTTED)
        steps = np.linspace(0, 1, STEPS)[:, None]
        between = mean[0] + steps * (mean[min(1, len(mean) - 1)] - mean[0])
        drawn = self.draw(network, noise_of(data.recipe.seed, PLOTTED, mean.shape[1]))
        train = data.arrays("train")[0]
        rows, _ = nearest_distance(drawn.reshape(len(drawn), -1), train.reshape(len(train), -1))
        made = Measured(
            x[few], self.draw(network, mean[few]), drawn, train[rows], self.draw(network, between), mean
        )  # fmt: skip
        return Evaluation(metrics, labels, made)

    def baselines(self, data: AnyTargets) -> dict[str, float]:
        """log p(x), without a bound: of pixels one by one, and of a mixture of such."""
        if data.num_values > BASELINE_VALUES:
            return {}
        train, test = (on(data.arrays(split)[0]).reshape(data.examples[split], -1) for split in ("train", "test"))
        return {
            name: float(BernoulliMixture(train, components=count).log_likelihood(test).mean())
            for name, count in (("pixels one by one", 1), (f"mixture of {COMPONENTS}", COMPONENTS))
        }

    def plots(self, data: AnyTargets, evaluation: Evaluation) -> dict[str, Figure | None]:
        made: Measured = evaluation.outputs
        labels = evaluation.targets if data.class_names else None
        found: dict[str, Figure | None] = {"latent_map.png": None}
        if made.codes.shape[1] > 1:
            found["latent_map.png"] = plots.latent_map(made.codes, labels, data.class_names)
        if len(data.shape) == 3:
            rows = [made.images, made.again, made.between, made.drawn, made.nearest]
            titles = [
                "of the test set", "from their codes", "from the first code to the second", "new: from N(0, 1)",
                "the training image nearest to each new one",
            ]  # fmt: skip
            found["images.png"] = plots.sheets(rows, titles)
        return found

    def sample(self, card: Card, head: str = "") -> Sample:
        shape, size = card.tiny.get("input_shape", card.inputs[0].shape), card.tiny.get("latent_size", 1)
        if head == "latent":
            return Sample(lambda rng, shape: np.zeros(shape, "float32"), lambda _: 0.0, tolerance=2.0 * size)
        return Sample(
            lambda rng, shape: rng.integers(0, 2, shape).astype("float32"),
            lambda _: math.prod(shape) * math.log(2),
            tolerance=0.5 * math.prod(shape),
        )

    # What `zoo generate` and `zoo predict` ask

    def noise_size(self, network: Network) -> int:
        return int(network.model.get_layer("z").output.shape[-1])

    def draw(self, network: Network, noise: np.ndarray) -> np.ndarray:
        """p(x|z), a grey for each pixel: between black and white where it is in doubt."""
        return np.asarray(ops.convert_to_numpy(ops.sigmoid(decoder_of(network)(noise, training=False))))

    def predict(self, trained: Trained, paths: Sequence[str], folder: Path | None) -> list[str]:
        """The ELBO of each image; in `folder`, the image beside what its code says."""
        network, data = trained.network, trained.data
        x = data.encode(paths)
        mean, log_variance = posterior(network, x)
        divergence = divergence_of(mean, log_variance)
        (terms,) = log_weights(network, x, mean, log_variance)
        lines = []
        for path, image, again, elbo in zip(
            paths, x, self.draw(network, mean), terms["likelihood"].mean(1) - divergence
        ):
            lines.append(f"{path}: ELBO {elbo:.2f} nats (of the test set: {trained.metric('elbo'):.2f})")
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                file = free_name(folder / f"{Path(path).stem}-reconstruction.png")
                plots.save(plots.sheets([np.stack([image, again])], ["the image, and what its code says"]), file)
                lines.append(f"  what is left of it: {file}")
        return lines


def on(x: np.ndarray) -> np.ndarray:
    """Pixels of 0 or 1, from grey of 0 to 1, as `losses.BernoulliLikelihood` has them."""
    return (x > HALF).astype("float32")


def posterior(network: Network, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and log variances of q(z|x): (examples, latent size) each."""
    encoder = keras.Model(network.model.input, network.model.get_layer("latent").output)
    mean, log_variance = np.split(np.asarray(encoder.predict(x, verbose=0)), 2, axis=1)
    return mean, log_variance


def divergence_of(mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """KL( q(z|x) || N(0, 1) ) in closed form, as `losses.NormalDivergence` has it: (examples,)."""
    return np.asarray(0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(1))


def decoder_of(network: Network) -> keras.Model:
    """z (batch, latent size) to the logits of the pixels."""
    return keras.Model(network.model.get_layer("z").output, network.model.output["pixels"])


def log_weights(
    network: Network, x: np.ndarray, mean: np.ndarray, log_variance: np.ndarray, seed: int = 0
) -> list[dict[str, np.ndarray]]:
    """Of `SAMPLES` z for each image: log p(x|z) as "likelihood", and log p(x, z) - log q(z|x) as "weight"."""
    decoder, rng = decoder_of(network), np.random.default_rng(seed)
    many = max(1, AT_ONCE // (SAMPLES * math.prod(x.shape[1:])))
    found = []
    for start in range(0, len(x), many):
        part = slice(start, start + many)
        noise = rng.normal(size=(len(x[part]), SAMPLES, mean.shape[1])).astype("float32")
        z = mean[part, None] + np.exp(0.5 * log_variance[part, None]) * noise  # (images, samples, latent size)
        logits = ops.convert_to_numpy(decoder(z.reshape(-1, z.shape[-1]), training=False))
        logits = logits.reshape(*z.shape[:2], -1)  # (images, samples, pixels)
        pixels = on(x[part]).reshape(len(z), 1, -1)
        likelihood = (pixels * logits - np.logaddexp(0, logits)).sum(-1)
        ratio = 0.5 * (noise**2 + log_variance[part, None] - z**2).sum(-1)  # log p(z) - log q(z|x)
        found.append({"likelihood": likelihood, "weight": likelihood + ratio})
    return found
