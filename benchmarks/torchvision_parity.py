"""Are our networks those of torchvision and timm? From their state dicts, the same logits.

    python benchmarks/torchvision_parity.py                  every network at full size: rows in results/benchmarks/
    python benchmarks/torchvision_parity.py --record         what tests/models/test_state_dicts.py compares with

Wants torchvision and timm beside Keras, which is best done in an environment of its own, with KERAS_BACKEND=torch.
Weights are random and running statistics those of a random batch: nobody's pretrained weights are needed.
"""

import argparse
import csv
import gzip
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import keras  # noqa: E402
import numpy as np  # noqa: E402
import state_dicts  # noqa: E402
import timm  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from torchvision import models  # noqa: E402
from torchvision.models import convnext  # noqa: E402

import zoo  # noqa: E402

RESULTS = ROOT / "results" / "benchmarks" / "torchvision_parity.csv"
TORCH = {"variant": "torch"}
FULL = {  # theirs: ours, options, a side of the images
    **{
        f"torchvision/{name}": (name, TORCH, 96)
        for name in ("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")
    },
    **{f"torchvision/{name}": (name, {}, 96) for name in ("densenet121", "densenet169", "densenet201")},
    **{f"torchvision/efficientnet_b{number}": (f"efficientnet_b{number}", TORCH, 96) for number in range(8)},
    **{f"torchvision/efficientnet_v2_{size}": (f"efficientnet_v2_{size}", TORCH, 96) for size in "sml"},
    **{f"torchvision/convnext_{size}": (f"convnext_{size}", {}, 96) for size in ("tiny", "small", "base", "large")},
    "torchvision/vgg11": ("vgg11", {}, 224),
    "torchvision/vgg11_bn": ("vgg11", {"batch_norm": True}, 224),
    "torchvision/vgg16": ("vgg16", {}, 224),
    "torchvision/vgg16_bn": ("vgg16", {"batch_norm": True}, 224),
    "torchvision/vgg19": ("vgg19", {}, 224),
    **{f"torchvision/resnet{depth}": (f"resnet{depth}", {}, 96) for depth in (18, 34)},
    "torchvision/resnet50": ("resnet50", {"stride_in": "3x3", "use_bias": False}, 96),
    "torchvision/googlenet": ("inception_v1", {"batch_norm": True}, 224),
    "torchvision/inception_v3": ("inception_v3", TORCH, 299),
    "torchvision/vit_b_16": ("vit_base_16", {}, 224),
    "torchvision/vit_l_16": ("vit_large_16", {}, 224),
    "timm/vit_tiny_patch16_224": ("vit_tiny_16", {}, 224),
    "timm/vit_small_patch16_224": ("vit_small_16", {}, 224),
    "timm/convnext_tiny": ("convnext_tiny", {}, 96),
    "timm/efficientnet_b0": ("efficientnet_b0", TORCH, 96),
    "timm/densenet121": ("densenet121", {}, 96),
}
QUIET = {  # they draw their weights for a minute
    f"torchvision/{name}": {"init_weights": False, "aux_logits": True} for name in ("googlenet", "inception_v3")
}


def small(name):
    """The network of a recorded name: as small as its structure allows."""
    if name == "torchvision/convnext":
        setting = convnext.CNBlockConfig
        stages = [setting(16, 32, 1), setting(32, 48, 1), setting(48, 64, 2), setting(64, None, 1)]
        return models.ConvNeXt(stages, num_classes=10)
    if name == "torchvision/vit":
        sizes = dict(num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=10)
        return models.VisionTransformer(image_size=32, patch_size=8, **sizes)
    if name == "timm/vit":
        sizes = dict(depth=2, num_heads=2, embed_dim=32, mlp_ratio=2.0, num_classes=10)
        return timm.models.VisionTransformer(img_size=32, patch_size=8, **sizes)
    if name == "timm/convnext":
        return timm.models.ConvNeXt(depths=(1, 1, 2, 1), dims=(16, 32, 48, 64), num_classes=10)
    return theirs(name, num_classes=10)


CONVNEXT = {"maps": (16, 32, 48, 64), "blocks": (1, 1, 2, 1)}
VIT = {"patch": 8, "grid": (4, 4), "num_layers": 2, "num_heads": 2, "dim": 32, "mlp_dim": 64}
SMALL = {
    "torchvision/mobilenet_v2": ("mobilenet_v2", TORCH, 64),
    "torchvision/mobilenet_v3_small": ("mobilenet_v3_small", TORCH, 64),
    "torchvision/efficientnet_b0": ("efficientnet_b0", TORCH, 64),
    "timm/efficientnet_b0": ("efficientnet_b0", TORCH, 64),
    "torchvision/densenet121": ("densenet121", {}, 64),
    "torchvision/convnext": ("convnext_tiny", CONVNEXT, 64),
    "timm/convnext": ("convnext_tiny", CONVNEXT, 64),
    "torchvision/vit": ("vit_base_16", VIT, 32),
    "timm/vit": ("vit_base_16", VIT, 32),
}


def theirs(name, **options):
    library, _, kind = name.partition("/")
    options = {**QUIET.get(name, {}), **options}
    return getattr(models, kind)(**options) if library == "torchvision" else timm.create_model(kind, **options)


def logits(network, images):
    with torch.no_grad():
        return network(torch.from_numpy(images.transpose(0, 3, 1, 2))).numpy()


def scramble(network, images):
    """Random weights, and the statistics of the batch; the signal keeps its size to the end."""
    torch.manual_seed(0)
    norms = [each for each in network.modules() if isinstance(each, torch.nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if parameter.ndim == 1 and key.endswith("weight"):
                parameter.uniform_(0.5, 1.5)
            elif key.endswith("bias"):
                parameter.normal_(0, 0.3)
            elif key.endswith(("layer_scale", "gamma")):
                parameter.uniform_(0.1, 0.5)
            elif key.endswith(("token", "pos_embedding", "pos_embed")):
                parameter.normal_(0, 0.5)
            elif not parameter.any():  # torchvision's ViT begins with a head of zeros, which lets no image through
                parameter.normal_(0, 0.02)
    for each in norms:
        each.momentum = 1.0
        each.train()
    logits(network, images)
    network.eval()
    for each in norms:
        each.running_var += 0.01 * each.running_var.mean()


def compare(name):
    """The largest difference of the logits, as a fraction of the largest; and how much the image moves them."""
    ours, options, side = FULL[name]
    images = state_dicts.images((side, side, 3), count=4)
    network = theirs(name).eval()
    scramble(network, images)
    expected = logits(network, images)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(network.state_dict(), f"{folder}/net.pth")
        model = zoo.build(ours, input_shape=(side, side, 3), weights=f"{folder}/net.pth", **options)
    found = keras.ops.convert_to_numpy(model(images, training=False))
    return np.abs(found - expected).max() / np.abs(expected).max(), np.ptp(expected, axis=0).max() / np.abs(
        expected
    ).max()


def measure(names):
    rows = list(csv.reader(RESULTS.open())) if RESULTS.exists() else []
    known = {row[0]: row for row in rows[1:]}
    for name in names:
        difference, effect = compare(name)
        library = {"torchvision": torchvision, "timm": timm}[name.partition("/")[0]].__version__
        row = [name, FULL[name][0], f"{difference:.1e}", f"{effect:.2f}", library, torch.__version__, keras.__version__]
        known[name] = row
        print(*row, flush=True)
        assert difference < 1e-4, f"{name} differs"
        assert effect > 0.005, f"the images change nothing in {name}"
        with RESULTS.open("w", newline="") as file:
            header = ["theirs", "ours", "difference", "effect_of_image", "library", "torch", "keras"]
            csv.writer(file).writerows([header, *(known[key] for key in sorted(known))])


def record():
    """Outputs from numbers by rule, of the least gain that lets the image through."""
    found = {}
    for name, (ours, options, side) in SMALL.items():
        network = small(name).eval()
        shapes = [(key, tuple(tensor.shape)) for key, tensor in network.state_dict().items()]
        images = state_dicts.images((side, side, 3))
        for gain in (1.0, 2.0, 3.0, 4.0, 6.0):
            state = {key: torch.tensor(value) for key, value in state_dicts.numbers(shapes, gain).items()}
            network.load_state_dict(state)
            expected = logits(network, images)
            if np.abs(expected[0] - expected[1]).max() > 0.01 * np.abs(expected).max():
                break
        print(name, gain, np.abs(expected[0] - expected[1]).max() / np.abs(expected).max(), np.abs(expected).max())
        found[name] = {"ours": ours, "options": options, "side": side, "gain": gain, "shapes": shapes}
        found[name]["logits"] = [[float(f"{number:.7g}") for number in row] for row in expected]
    state_dicts.RECORDED.write_bytes(gzip.compress(json.dumps(found).encode(), mtime=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(FULL), help="as torchvision/mobilenet_v2")
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    record() if arguments.record else measure(arguments.names)
