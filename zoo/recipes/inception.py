"""Recipes and published weights of the Inception networks (`zoo/models/inception.py`)."""

from zoo.recipes import CIFAR10, DIGITS, FASHION_MNIST, FINETUNE, FOLDER, IMAGENET2012, IMAGENETTE, NESTEROV
from zoo.recipes.published_weights import keras_applications, torchvision
from zoo.records import Expected, Recipe, Weights, replace

DEMO = replace(
    DIGITS,
    preprocess={"resize": (32, 32)},
    augment={"shift": 3},
    epochs=20,
    model={"width": 0.25, "batch_norm": True},
)
FASHION = replace(
    FASHION_MNIST,
    preprocess={"resize": (64, 64)},
    augment={"shift": 6, "flip": True},
    epochs=30,
    model={"batch_norm": True},
    **NESTEROV,
)
CIFAR = replace(CIFAR10, preprocess={"resize": (64, 64)}, model={"batch_norm": True})
TEN_OF_IMAGENET = replace(
    FASHION,
    name=IMAGENETTE.name,
    dataset=IMAGENETTE.dataset,
    train=IMAGENETTE.train,
    validation=IMAGENETTE.validation,
    test=IMAGENETTE.test,
    preprocess={"resize": (224, 224)},
    augment={"crop": (0.35, 1.0), "flip": True},
    epochs=100,
    batch_size=64,
)
# Section 6 of the first paper: momentum 0.9, the rate falls by 4 % every 8 epochs, the weights are averaged over time,
# crops hold 8 to 100 % of the image. The rate at the start, the decay and the length are not told: those of BVLC's
# model.
IMAGENET_V1 = replace(
    IMAGENET2012,
    augment={"crop": (0.08, 1.0), "flip": True},
    epochs=64,
    batch_size=32,
    optimizer_options={"momentum": 0.9, "weight_decay": 2e-3},
    ema_momentum=0.9999,
    schedule_options={"at": (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875), "factor": 0.96},
    model={"auxiliary": True},
    expected=Expected("accuracy", 0.687, "BVLC/caffe, models/bvlc_googlenet: 68.7 % top-1", measured=False),
)
# Section 8 of the second: RMSProp with decay 0.9 and epsilon 1, clipped at 2, 100 epochs, the rate falls by 6 % every 2
# epochs (here by 0.94^5 every 10), evaluated on averaged weights. Its 50 machines each took steps of 32 images.
IMAGENET_V3 = replace(
    IMAGENET_V1,
    preprocess={"resize": (299, 299)},
    epochs=100,
    optimizer="rmsprop",
    optimizer_options={"rho": 0.9, "epsilon": 1.0, "global_clipnorm": 2.0},
    ema_momentum=0.9999,
    learning_rate=0.045,
    schedule_options={"at": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "factor": 0.734},
    expected=Expected("accuracy", 0.788, "Szegedy 2016, Table 3: 21.2 % top-1 error, one crop", measured=False),
)
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "inception_v1": (
        DEMO,
        replace(
            FASHION,
            expected=Expected("accuracy", 0.937, "zalandoresearch/fashion-mnist, README: GoogleNet", measured=False),
        ),
        CIFAR,
        TEN_OF_IMAGENET,
        IMAGENET_V1,
        replace(FINETUNE, model={"batch_norm": True}),
        FOLDER,
    ),
    "inception_v3": (
        replace(
            DEMO, preprocess={"resize": (75, 75)}, augment={"shift": 6}, epochs=15, batch_size=32, model={"width": 0.25}
        ),
        replace(FASHION, preprocess={"resize": (75, 75)}, model={}),
        replace(CIFAR, preprocess={"resize": (75, 75)}, model={}),
        replace(TEN_OF_IMAGENET, preprocess={"resize": (299, 299)}, model={}),
        IMAGENET_V3,
        replace(FINETUNE, preprocess={"cover": (299, 299)}),
        replace(FOLDER, preprocess={"cover": (299, 299)}),
    ),
}

# Of v1 there are none for the network of the paper: torchvision's are of the variant with batch normalisation, ported
# from TensorFlow's, which saw pixels in -1..1 (its `transform_input` takes them back there), with auxiliary heads that
# nobody trained. torchvision's of v3 are not for this network: their average pools count padding.
WEIGHTS: dict[str, tuple[Weights, ...]] = {
    "inception_v1": (
        torchvision(
            "googlenet",
            "1378be20",
            accuracy=0.69778,
            top5=0.89530,
            source="torchvision, GoogLeNet_Weights.IMAGENET1K_V1",
            preprocessing="tf",
            options={"batch_norm": True},
        ),
    ),
    "inception_v3": keras_applications(
        "inception_v3/inception_v3",
        md5="9a0d58056eeedaa3f26cb7ebd46da564",
        size=96_112_376,
        md5_notop="bcbd6486424b2319ff4ef7d526e38f63",
        size_notop=87_910_968,
        accuracy=0.779,
        top5=0.937,
        preprocessing="tf",
        licence="Apache-2.0 (tensorflow/models)",
    ),
}
