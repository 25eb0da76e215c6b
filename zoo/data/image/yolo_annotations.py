"""Boxes as YOLO keeps them: a text file for each image, of lines ``class x y width height``, centre and sides as
fractions, and the names of the classes in a file beside them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.data.image.annotations import Annotated, Box, Images, Notes, Thing, in_image, split_of
from zoo.errors import UsageError

CLASS_FILES = ("data.yaml", "data.yml", "classes.txt", "obj.names")


def yolo(root: Path, images: Images, notes: Notes) -> tuple[list[Annotated], list[str]]:
    """Of every image; one without a text file has nothing in it."""
    names = class_names(root)
    found, used = [], set[Path | None]()
    for path in images.files:
        file, size = label_file(path), images.size(path, notes)
        used.add(file)
        if size is None:
            continue
        things = []
        for label, *place in yolo_lines(file) if file else ():
            if label >= len(names):
                raise UsageError(f"{file} has the class {label}; {root} names {len(names)} classes, from 0 on")
            things.append(in_image(Thing(names[label], in_pixels(place, size)), size, path.name, notes))
        found.append(Annotated(path, tuple(each for each in things if each), size, split_of(path, root)))
    others = [file for file in root.rglob("labels/**/*.txt") if file not in used and file.name not in CLASS_FILES]
    for file in others:
        notes.add("annotations have no image and are left out", file.relative_to(root))
    return found, names


def in_pixels(place: Sequence[float], size: tuple[int, int]) -> Box:
    """Centre, width and height as fractions to left, top, right and bottom.

    >>> in_pixels([0.5, 0.5, 0.5, 1.0], (8, 4))
    (2.0, 0.0, 6.0, 4.0)
    """
    (x, y, wide, high), (width, height) = place, size
    return (x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height


def label_file(path: Path) -> Path | None:
    """The text file of an image: beside it, or in ``labels`` where the image is in ``images``."""
    beside = path.with_suffix(".txt")
    parts = list(path.parts)
    places = [number for number, part in enumerate(parts) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return next((file for file in (beside, Path(*parts).with_suffix(".txt")) if file.is_file()), None)


def yolo_lines(file: Path) -> Iterator[tuple[int, float, float, float, float]]:
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            label, (x, y, wide, high) = int(words[0]), map(float, words[1:])
        except ValueError:
            raise UsageError(
                f"{file}, line {number}: {line.strip()!r}; expected the number of a class and x, y, width and height"
            ) from None
        if label < 0 or not all(abs(each) < 10 for each in (x, y, wide, high)):
            raise UsageError(f"{file}, line {number}: {line.strip()!r}; expected fractions of the image, from 0 to 1")
        yield label, x, y, wide, high


def class_names(root: Path) -> list[str]:
    """The names of YOLO's classes, by what lies in the folder."""
    file = next((root / name for name in CLASS_FILES if (root / name).is_file()), None)
    if file is None:
        raise UsageError(f"{root} does not name its classes; expected {' or '.join(CLASS_FILES)}")
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".txt" or file.name == "obj.names":
        names = [line.strip() for line in text.splitlines() if line.strip()]
    else:
        names = names_of_yaml(text)
    if not names:
        raise UsageError(f"{file} names no classes; expected names: [...]")
    return names


def names_of_yaml(text: str) -> list[str]:
    """The list under ``names`` of a ``data.yaml``, in any of the three ways that it is written.

    >>> names_of_yaml("nc: 2\\nnames: ['cat', dog]"), names_of_yaml("names:\\n  0: cat\\n  1: dog\\nnc: 2")
    (['cat', 'dog'], ['cat', 'dog'])
    """
    match = re.search(r"^names:[ \t]*(\[[^\]]*\])?(.*(?:\n(?:[ \t]+|-).*)*)", text, re.MULTILINE)
    if not match:
        return []
    if match[1]:
        words = match[1].strip("[]").split(",")
    else:
        words = [re.sub(r"^\s*(-|\d+\s*:)\s*", "", line) for line in match[2].splitlines()]
    return [word.strip().strip("'\"") for word in words if word.strip()]
