"""Losses that Keras does not ship, and the names that cards and recipes call them by."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras

from zoo.errors import unknown
from zoo.losses.adversarial import Adversarial, CycleAdversarial
from zoo.losses.cross_entropy import Hinge, MaskedCrossentropy, Perceptron, WeightedCrossentropy
from zoo.losses.detection import GridDetection, MultiBox
from zoo.losses.metric_learning import MINING, Contrastive, ExplicitTriplet, NPair, NTXent, Triplet
from zoo.losses.multi_task import MaskedBinaryCrossentropy
from zoo.losses.perceptual import Perceptual, gram_matrix, relative_error, total_variation
from zoo.losses.region_masks import RegionMasks
from zoo.losses.segmentation import Dice, SoftIoU
from zoo.losses.tags import TagLikelihood
from zoo.losses.two_stage import RegionBoxes, RegionProposals
from zoo.losses.variational import BernoulliLikelihood, NormalDivergence
from zoo.losses.word_vectors import Glove, NegativeSampling, candidate_losses, next_word
from zoo.metrics.segmentation import IGNORED

__all__ = [
    "LOSSES", "MINING", "Adversarial", "BernoulliLikelihood", "Contrastive", "CycleAdversarial", "Dice",
    "ExplicitTriplet", "Glove", "GridDetection", "Hinge", "MaskedBinaryCrossentropy", "MaskedCrossentropy", "MultiBox",
    "NPair", "NTXent", "NegativeSampling", "NormalDivergence", "Perceptron", "Perceptual", "RegionBoxes",
    "RegionMasks", "RegionProposals", "SoftIoU", "TagLikelihood", "Triplet", "WeightedCrossentropy",
    "candidate_losses", "get", "gram_matrix", "next_word", "relative_error", "total_variation",
]  # fmt: skip

LOSSES: Mapping[str, Callable[..., keras.Loss]] = {
    "perceptron": Perceptron,
    "hinge": Hinge,
    "binary_crossentropy": partial(keras.losses.BinaryCrossentropy, from_logits=True),
    "masked_binary_crossentropy": MaskedBinaryCrossentropy,
    "masked_crossentropy": MaskedCrossentropy,
    "smoothed_crossentropy": partial(MaskedCrossentropy, label_smoothing=0.1),
    "tag_likelihood": TagLikelihood,
    "grid_detection": GridDetection,
    "multibox": MultiBox,
    "region_proposals": RegionProposals,
    "region_boxes": RegionBoxes,
    "region_masks": RegionMasks,
    "triplet_all": Triplet,
    "triplet_semi_hard": partial(Triplet, mining="semi_hard"),
    "triplet_hard": partial(Triplet, mining="hard"),
    "triplet_random": partial(Triplet, mining="random"),
    "explicit_triplet": ExplicitTriplet,
    "contrastive": Contrastive,
    "n_pair": NPair,
    "nt_xent": NTXent,
    "pixel_crossentropy": partial(
        keras.losses.SparseCategoricalCrossentropy, from_logits=True, ignore_class=IGNORED, name="pixel_crossentropy"
    ),
    "dice": partial(Dice, name="dice"),
    "soft_iou": partial(SoftIoU, name="soft_iou"),
    "perceptual": partial(Perceptual, at_once=False),
    "negative_sampling": NegativeSampling,
    "glove": Glove,
    "next_word": next_word,
    "adversarial": Adversarial,
    "cycle_adversarial": CycleAdversarial,
}


def get(name: str, **options: Any) -> keras.Loss:
    """The loss of that name, as a card writes it, with its options, as a recipe does.

    Raises:
        UsageError: for a name that is not among `LOSSES`.

    >>> get("triplet_hard", margin=0.5).mining
    'hard'
    """
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    return LOSSES[name](**options)
