"""What a saved network needs in order to open again in another process.

Keras writes a class that is not its own as a name, ``zoo>Positions``, and opens the file where the module that
registers that name was imported. So that ``import zoo`` is enough, Keras gets the names as soon as both are imported,
and a module is imported when a file asks for what stands in it::

    import zoo
    keras.saving.load_model("gpt.keras")  # a pickled model, and one that is sent to another process, likewise
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from zoo.backend import BACKENDS, missing
from zoo.errors import UsageError

PACKAGE = "zoo"  # under which all of these are registered: a test holds the tables complete
CLASSES = {
    "zoo.decoding.detections": "Suppression",
    "zoo.decoding.instances": "Instances",
    "zoo.layers.attention": "Attention Padding Positions",
    "zoo.layers.crf": "ConditionalRandomField",
    "zoo.layers.default_boxes": "DefaultBoxes",
    "zoo.layers.grid_boxes": "GridBoxes",
    "zoo.layers.highway": "Highway ScalarMix",
    "zoo.layers.mask_rows": "MaskBoxes MaskRows",
    "zoo.layers.normalization": "AdaptiveInstanceNormalization LocalResponseNormalization ScaledL2Normalization",
    "zoo.layers.padding": "ReflectionPadding",
    "zoo.layers.patches": "ClassToken GridPositions",
    "zoo.layers.pooling": "GeneralizedMeanPooling",
    "zoo.layers.recurrent": "FullGRUCell GatedLSTMCell PlainCell SimplifiedGRUCell",
    "zoo.layers.regions": "ClassBoxes Proposals RegionAlign SampleOrder",
    "zoo.layers.relative_attention": "RelativeAttention",
    "zoo.layers.residual": "LayerScale",
    "zoo.layers.sampling": "NormalSample",
    "zoo.layers.sequence": "PoolSequence ReverseSequence",
    "zoo.layers.spatial_softmax": "SpatialSoftmax",
    "zoo.losses.adversarial": "Adversarial CycleAdversarial",
    "zoo.losses.cross_entropy": "Hinge MaskedCrossentropy Perceptron WeightedCrossentropy",
    "zoo.losses.detection": "GridDetection MultiBox",
    "zoo.losses.metric_learning": "Contrastive ExplicitTriplet NPair NTXent Triplet",
    "zoo.losses.multi_task": "MaskedBinaryCrossentropy",
    "zoo.losses.perceptual": "Perceptual",
    "zoo.losses.region_masks": "RegionMasks",
    "zoo.losses.segmentation": "Dice SoftIoU",
    "zoo.losses.tags": "TagLikelihood",
    "zoo.losses.two_stage": "RegionBoxes RegionProposals",
    "zoo.losses.variational": "BernoulliLikelihood NormalDivergence",
    "zoo.losses.word_vectors": "Glove NegativeSampling",
    "zoo.metrics.forecasting": "ScaledError",
    "zoo.metrics.tokens": "ExactMatch Perplexity TokenAccuracy",
    "zoo.models.alexnet": "GroupedConv2D",
    "zoo.models.bert": "Segment",
    "zoo.models.fasttext": "Bigrams",
    "zoo.models.fcn": "Bilinear",
    "zoo.models.lenet": "DistanceToCodes FanIn SparseConv2D Subsampling",
    "zoo.models.siamese": "Apart Difference",
    "zoo.models.style_transfer": "Colours",
    "zoo.models.transformer_xl": "Bias",
    "zoo.optimizers.finetuning": "Scaled",
    "zoo.optimizers.schedules": "GradientRecorder InverseSquareRoot",
}
FUNCTIONS = {"zoo.models.gpt": "gelu_tanh", "zoo.models.lenet": "scaled_tanh"}


class Later:
    """In Keras's table in the place of a class until its module is imported, which puts the class itself there."""

    def __init__(self, module: str, name: str):
        self._module, self._name = module, name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(getattr(importlib.import_module(self._module), self._name), attribute)


def later(module: str, name: str) -> Any:
    """The same for a function, which Keras takes as it is."""

    def call(*arguments: Any, **settings: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*arguments, **settings)

    return call


def register(keras: ModuleType) -> None:
    """Tell Keras the names; those whose modules are imported it knows already."""
    known = keras.saving.get_custom_objects()
    for module, names in CLASSES.items():
        for name in names.split():
            known.setdefault(f"{PACKAGE}>{name}", Later(module, name))
    for module, names in FUNCTIONS.items():
        for name in names.split():
            if f"{PACKAGE}>{name}" not in known:
                keras.saving.register_keras_serializable(PACKAGE, name)(later(module, name))


def check_backend() -> None:
    """Raise where Keras would look for a backend that is not installed, and no other one may take its place."""
    if backend := missing():
        others = [each for each in BACKENDS if each != backend]
        raise UsageError(
            f"Keras is to compute by {backend}, which is not installed: pip install 'keras-zoo[{backend}]', or choose "
            f"another one, KERAS_BACKEND={' or '.join(others)}"
        )


class AfterKeras(importlib.abc.MetaPathFinder):
    """Finds Keras as Python would, sees to its backend before it runs, and registers the names behind it."""

    searching = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras" or self.searching:
            return None
        self.searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.searching = False
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_register(module: ModuleType) -> None:
            check_backend()
            run(module)
            register(module)

        spec.loader.exec_module = run_and_register  # type: ignore[method-assign]
        return spec


def watch_imports() -> None:
    """Register the names now, if Keras is imported, or else when it is."""
    if "keras" in sys.modules and hasattr(sys.modules["keras"], "saving"):
        register(sys.modules["keras"])
    elif not any(isinstance(finder, AfterKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, AfterKeras())
