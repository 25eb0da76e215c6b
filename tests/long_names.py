"""Networks of parts that other families are made of too: what trains or saves them in the conformance suite is slow, as
are their outputs on the other backends."""

import fnmatch

LONG = (
    "alexnet_owt", "bert_large", "bilstm_classifier", "conv_autoencoder", "cyclegan", "dcgan", "densenet*",
    "denoising_autoencoder", "efficientnet_*", "fast_style", "faster_rcnn_*", "fcn8_vgg16", "inception_*",
    "lenet5_1998", "mask_rcnn_*", "mc3_18", "mobilenet_v3_*", "plain20", "r2plus1d_18", "r3d_18", "resnet20",
    "siamese_pairs", "ssd300_vgg16", "transformer_classifier", "vgg1[1369]", "xception", "yolo_v2*",
)  # fmt: skip


def is_long(name):
    return any(fnmatch.fnmatchcase(name, each) for each in LONG)
