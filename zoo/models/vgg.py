"""VGG: how far 3x3 convolutions alone can go.

K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
ICLR 2015 (arXiv:1409.1556): Tables 1 and 2. S. Liu and W. Deng, "Very Deep Convolutional Neural Network
Based Image Classification Using Small Training Sample Size", ACPR 2015: the network for small images.

Two 3x3 convolutions see 5x5 pixels, three see 7x7, with fewer weights and a ReLU after each. So every
filter is 3x3; five blocks of them, each followed by a pool that halves the maps while the next block
doubles the channels; then three dense layers, which hold nine tenths of the weights of VGG-11.

    block        maps, at 224x224   convolutions in   vgg11 (A)     vgg13 (B)     vgg16 (D)     vgg19 (E)
    block1       224, 224,  64                                1             2             2             2
    block2       112, 112, 128                                1             2             2             2
    block3        56,  56, 256                                2             2             3             4
    block4        28,  28, 512                                2             2             3             4
    block5        14,  14, 512                                2             2             3             4
    fc1, fc2, predictions   4096, 4096, 1000
    trainable                                       132,863,336   133,047,848   138,357,544   143,667,240

Layers have the names that keras.applications gives them, so its weights map by name.
"""

import keras
from keras import layers

from zoo.checks import check_image
from zoo.layers.normalization import BatchNormalization
from zoo.layers.width import scaled
from zoo.recipes import FINETUNE, FOLDER
from zoo.records import Card, Expected, Input, Recipe, Weights, replace
from zoo.registry import register

FILTERS = (64, 128, 256, 512, 512)  # of each block
CONVOLUTIONS = {  # in each block: Table 1, columns A, B, D and E
    "A": (1, 1, 2, 2, 2),
    "B": (2, 2, 2, 2, 2),
    "D": (2, 2, 3, 3, 3),
    "E": (2, 2, 4, 4, 4),
}
MOMENTUM = 0.9  # of running statistics: Keras's 0.99 needs more steps to settle than a short training has
SMALLEST = 32  # five pools halve it to one pixel
SMALLEST_OF_SMALL = 17  # below, the last of five pools, which round up, has one pixel to pool

TABLE_3 = "Simonyan & Zisserman 2015, Table 3, images scaled to 256"
TABLE_3_A = Expected("accuracy", 0.704, TABLE_3, measured=False)
TABLE_3_B = Expected("accuracy", 0.713, TABLE_3, measured=False)
TABLE_3_D = Expected("accuracy", 0.730, TABLE_3, measured=False)
TABLE_3_E = Expected("accuracy", 0.727, TABLE_3, measured=False)

DEMO = Recipe(
    name="demo",
    dataset="digits:1.0.0",
    preprocess={"resize": (32, 32)},
    augment={"shift": 3},
    epochs=15,
    batch_size=64,
    learning_rate=1e-3,
    schedule="cosine",
    model={"width": 0.125, "batch_norm": True},
)
# Weight decay, here and below: 0.0005 inside the momentum of 0.9, as published, adds up ten times; Keras decays outside
# of it, hence 0.005.
FASHION_MNIST = Recipe(
    name="fashion_mnist",
    dataset="fashion_mnist:3.0.1",
    train="train[:55000]",
    validation="train[55000:]",
    preprocess={"pad": (32, 32)},
    augment={"shift": 4, "flip": True},
    epochs=40,
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "nesterov": True, "weight_decay": 5e-3},
    learning_rate=0.05,
    schedule="cosine",
    schedule_options={"warmup_epochs": 2},
    model={"batch_norm": True},
    expected=Expected(
        "accuracy", 0.935, "zalandoresearch/fashion-mnist, README: VGG16 with 26 M parameters", measured=False
    ),
)
CIFAR10 = replace(
    FASHION_MNIST,
    name="cifar10",
    dataset="cifar10:3.0.2",
    train="train[:45000]",
    validation="train[45000:]",
    preprocess={},
    epochs=160,
    expected=None,
)
# Section 3.1: 370,000 steps of 256 images are 74 epochs; the rate was cut three times, when is not told. Random crops
# of 224 from 256 are shifts by up to 16.
IMAGENET2012 = Recipe(
    name="imagenet2012",
    dataset="imagenet2012:5.1.0",
    train="train[:99%]",
    validation="train[99%:]",
    test="validation",  # the labels of the real test set were never published
    preprocess={"resize": (224, 224)},
    augment={"shift": 16, "flip": True},
    epochs=74,
    batch_size=256,
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "weight_decay": 5e-3},
    learning_rate=0.01,
    schedule="step",
    schedule_options={"at": (0.25, 0.5, 0.75), "factor": 0.1},
    expected=TABLE_3_D,
)
IMAGENETTE = replace(
    IMAGENET2012,
    name="imagenette",
    dataset="imagenette/320px-v2:1.0.0",
    train="train[:90%]",
    validation="train[90%:]",
    epochs=100,
    batch_size=64,
    model={"batch_norm": True},
    expected=None,
)
VGG16 = Card(
    task="image_classification",
    summary="VGG-16: thirteen 3x3 convolutions and three dense layers",
    params=138_357_544,
    loss_network=True,
    paper="Simonyan & Zisserman 2015, ICLR, Table 1, configuration D",
    deviations=(
        "colours divided by their standard deviation as well as centred",
        "no random colour shift or scale jitter; one view of 224x224 in place of dense evaluation",
        "Glorot-uniform start, which the paper found to do as well as growing from a trained VGG-11 (section 3.1)",
    ),
    inputs=(Input("image", (224, 224, 3), holds="colours, standardised by the training set"),),
    preprocessing="standardise",
    recipes=(DEMO, FASHION_MNIST, CIFAR10, IMAGENETTE, IMAGENET2012, FOLDER),
    tiny={"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.125, "batch_norm": True},
    tutorial="11_classic_cnns.py",
)

# The weights of keras.applications, which are those of the authors: blue, green and red, centred and not divided.
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"
TABLE = "keras.io/api/applications"
VGG16_WEIGHTS = Weights(
    tag="imagenet",
    url=KERAS + "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
    hash="md5:64373286793e3c8b2b4e3219cbf3544b",
    size=553_467_096,
    preprocessing="caffe",
    licence="CC BY 4.0 (VGG, Oxford)",
    published=(
        Expected("accuracy", 0.713, TABLE, measured=False),
        Expected("top5_accuracy", 0.901, TABLE, measured=False),
    ),
)
VGG16_BODY = replace(
    VGG16_WEIGHTS,
    tag="imagenet_notop",
    url=KERAS + "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    hash="md5:6d6bbae143d832006294945121d1f1fc",
    size=58_889_256,
    top=False,
    published=(),
)
VGG19_WEIGHTS = replace(
    VGG16_WEIGHTS,
    url=KERAS + "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels.h5",
    hash="md5:cbe5617147190e668d6c5d5026f83318",
    size=574_710_816,
    published=(
        Expected("accuracy", 0.713, TABLE, measured=False),
        Expected("top5_accuracy", 0.900, TABLE, measured=False),
    ),
)
VGG19_BODY = replace(
    VGG19_WEIGHTS,
    tag="imagenet_notop",
    url=KERAS + "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
    hash="md5:253f8cb515780f3b799900260a226db6",
    size=80_134_624,
    top=False,
    published=(),
)


def blocks(x, convolutions, *, batch_norm, width, dropout=0.0, pool_padding="valid"):
    """Five blocks of 3x3 convolutions, each with a pool: (batch, height, width, any) -> (batch, h / 32, w / 32, 512).

    Args:
        x: images.
        convolutions: how many in each block.
        batch_norm: normalise between each convolution and its ReLU.
        width: multiplies the channels.
        dropout: share of the activities silenced in training between the convolutions of a block.
        pool_padding: "valid" drops an odd last row, "same" keeps it.
    """
    for block, (filters, count) in enumerate(zip(FILTERS, convolutions), start=1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            activation = None if batch_norm else "relu"
            x = layers.Conv2D(scaled(filters, width), 3, padding="same", activation=activation, name=name)(x)
            if batch_norm:
                x = BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn")(x)
                x = layers.Activation("relu", name=f"{name}_relu")(x)
            if dropout and number < count:
                x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        x = layers.MaxPooling2D(2, padding=pool_padding, name=f"block{block}_pool")(x)
    return x


def vgg(configuration, input_shape, num_classes, batch_norm, width, dropout, top, name):
    """The network of one column of Table 1; see `vgg16` for the options."""
    check_image(input_shape, SMALLEST, name)
    image = keras.Input(input_shape, name="image")
    x = blocks(image, CONVOLUTIONS[configuration], batch_norm=batch_norm, width=width)  # (batch, 7, 7, 512)
    if not top:
        return keras.Model(image, x, name=name)
    x = layers.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = layers.Dense(scaled(4096, width), activation="relu", name=f"fc{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="predictions")(x)
    return keras.Model(image, logits, name=name)


@register(
    replace(
        VGG16,
        summary="VGG-11: eight 3x3 convolutions and three dense layers",
        params=132_863_336,
        paper="Simonyan & Zisserman 2015, ICLR, Table 1, configuration A",
        tiny={"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.125},
        recipes=(
            replace(DEMO, model={"width": 0.125}),
            replace(FASHION_MNIST, expected=None),
            CIFAR10,
            IMAGENETTE,
            replace(IMAGENET2012, expected=TABLE_3_A),
            FOLDER,
        ),
    )
)
def vgg11(
    *, input_shape=(224, 224, 3), num_classes=1000, batch_norm=False, width=1.0, dropout=0.5, top=True, name="vgg11"
):
    """VGG-11 (Simonyan & Zisserman 2015, Table 1, column A). Options, shapes and errors are those of `vgg16`.

    >>> vgg11(width=0.125, num_classes=10).get_layer("fc2").output.shape
    (None, 512)
    """
    return vgg("A", input_shape, num_classes, batch_norm, width, dropout, top, name)


@register(
    replace(
        VGG16,
        summary="VGG-13: ten 3x3 convolutions and three dense layers",
        params=133_047_848,
        paper="Simonyan & Zisserman 2015, ICLR, Table 1, configuration B",
        recipes=(
            DEMO,
            replace(FASHION_MNIST, expected=None),
            CIFAR10,
            IMAGENETTE,
            replace(IMAGENET2012, expected=TABLE_3_B),
            FOLDER,
        ),
    )
)
def vgg13(
    *, input_shape=(224, 224, 3), num_classes=1000, batch_norm=False, width=1.0, dropout=0.5, top=True, name="vgg13"
):
    """VGG-13 (Simonyan & Zisserman 2015, Table 1, column B). Options, shapes and errors are those of `vgg16`.

    >>> len(vgg13(width=0.125).layers)  # an image, 10 convolutions, 5 pools, flatten, 3 dense layers, 2 dropouts
    22
    """
    return vgg("B", input_shape, num_classes, batch_norm, width, dropout, top, name)


@register(replace(VGG16, weights=(VGG16_WEIGHTS, VGG16_BODY), recipes=(*VGG16.recipes, FINETUNE)))
def vgg16(
    *, input_shape=(224, 224, 3), num_classes=1000, batch_norm=False, width=1.0, dropout=0.5, top=True, name="vgg16"
):
    """VGG-16 (Simonyan & Zisserman 2015, Table 1, column D).

    Args:
        input_shape: (height, width, channels); at least 32 x 32 pixels.
        num_classes: length of the logit vector.
        batch_norm: normalise between each convolution and its ReLU, which the paper did not know yet: trains from
            fresh weights at ten times the rate.
        width: multiplies the channels and units of every layer, down to 8; less than 1 for small experiments.
        dropout: share of the units of fc1 and fc2 silenced in training.
        top: False stops at the maps of `block5_pool`, which fc1 would read.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits, or
        to (batch, height // 32, width // 32, 512) maps without `top`.

    Raises:
        UsageError: if the images are too small.

    >>> vgg16(width=0.125).get_layer("block3_conv3").output.shape
    (None, 56, 56, 32)
    """
    return vgg("D", input_shape, num_classes, batch_norm, width, dropout, top, name)


@register(
    replace(
        VGG16,
        summary="VGG-19: sixteen 3x3 convolutions and three dense layers",
        params=143_667_240,
        paper="Simonyan & Zisserman 2015, ICLR, Table 1, configuration E",
        weights=(VGG19_WEIGHTS, VGG19_BODY),
        recipes=(
            DEMO,
            replace(FASHION_MNIST, expected=None),
            CIFAR10,
            IMAGENETTE,
            replace(IMAGENET2012, expected=TABLE_3_E),
            FINETUNE,
            FOLDER,
        ),
    )
)
def vgg19(
    *, input_shape=(224, 224, 3), num_classes=1000, batch_norm=False, width=1.0, dropout=0.5, top=True, name="vgg19"
):
    """VGG-19 (Simonyan & Zisserman 2015, Table 1, column E). Options, shapes and errors are those of `vgg16`.

    >>> vgg19(width=0.125, top=False).output_shape
    (None, 7, 7, 64)
    """
    return vgg("E", input_shape, num_classes, batch_norm, width, dropout, top, name)


@register(
    replace(
        VGG16,
        summary="VGG-16 for small images: batch normalisation, and one dense layer of 512 in place of two of 4096",
        params=14_991_946,
        non_trainable_params=9_472,
        paper="Liu & Deng 2015, ACPR",
        deviations=(
            "the exact places and shares of dropout are those of geifmany/cifar-vgg, which follows the paper",
            "batch normalisation before the ReLU; pools round odd sizes up, so that 28 pixels last",
        ),
        inputs=(Input("image", (32, 32, 3), holds="colours, standardised by the training set"),),
        recipes=(
            replace(DEMO, model={"width": 0.125, "dropout": 0.0}),
            replace(FASHION_MNIST, preprocess={}, model={}),
            replace(
                CIFAR10,
                model={},
                expected=Expected("accuracy", 0.9155, "Liu & Deng 2015, abstract: 8.45 % error", measured=False),
            ),
            replace(IMAGENETTE, preprocess={"resize": (64, 64)}, augment={"shift": 8, "flip": True}, model={}),
            replace(IMAGENET2012, preprocess={"resize": (64, 64)}, augment={"shift": 8, "flip": True}, expected=None),
            replace(FOLDER, preprocess={"cover": (32, 32)}),
        ),
        loss_network=False,
        tiny={"width": 0.125, "dropout": 0.0},
    )
)
def vgg16_small(*, input_shape=(32, 32, 3), num_classes=10, width=1.0, dropout=0.5, top=True, name="vgg16_small"):
    """VGG-16 for images of 28 to 64 pixels (Liu & Deng 2015): the thirteen convolutions with a small head.

    Args:
        input_shape: (height, width, channels); at least 17 x 17 pixels.
        num_classes: length of the logit vector.
        width: multiplies the channels and units of every layer, down to 8; less than 1 for small experiments.
        dropout: share of the units silenced in training before and after `fc1`; between the convolutions of a block
            it is four fifths of that. 0 for none.
        top: False stops at the maps of `block5_pool`.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits, or
        to (batch, ceil(height / 32), ceil(width / 32), 512) maps without `top`.

    Raises:
        UsageError: if the images are too small.

    >>> vgg16_small(input_shape=(28, 28, 1), width=0.125, top=False).output_shape
    (None, 1, 1, 64)
    """
    check_image(input_shape, SMALLEST_OF_SMALL, name)
    image = keras.Input(input_shape, name="image")
    x = blocks(image, CONVOLUTIONS["D"], batch_norm=True, width=width, dropout=0.8 * dropout, pool_padding="same")
    if not top:
        return keras.Model(image, x, name=name)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = layers.Dense(scaled(512, width), name="fc1")(x)
    x = BatchNormalization(momentum=MOMENTUM, name="fc1_bn")(x)
    x = layers.Activation("relu", name="fc1_relu")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="predictions")(x)
    return keras.Model(image, logits, name=name)
