"""Boxes as people keep them beside their images: Pascal VOC's XML and COCO's JSON; `yolo_annotations` has YOLO's text.

Each reader takes a folder and gives an `Annotated` for each image, with what had to be left out noted by kind. A box is
taken as it is written: no format's first pixel is another's.
"""

import json
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo.data.image.files import ENDINGS
from zoo.data.image.listing import MEANT
from zoo.data.image.reading import upright_size
from zoo.errors import UsageError, first_line, some

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


@dataclass(frozen=True)
class Thing:
    """A box and what is in it."""

    label: str
    box: Box
    difficult: bool = False
    crowd: bool = False
    mask: Any = field(default=None, repr=False, compare=False)  # as COCO writes one (`zoo.data.image.coco_masks`)


@dataclass(frozen=True)
class Annotated:
    """An image with its things; `split` is "" where its owner has named none."""

    path: Path
    things: tuple[Thing, ...]
    size: tuple[int, int]  # width, height
    split: str = ""


@dataclass
class Notes:
    """What was left out, or changed, by kind: the names of what it happened to."""

    found: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, name: object) -> None:
        self.found[kind].append(str(name))

    def lines(self) -> list[str]:
        return [f"{len(names)} {kind}: {some(sorted(set(names)))}" for kind, names in self.found.items()]


class Images:
    """The images below a folder, found by their path or, where that leads nowhere, by their name."""

    def __init__(self, root: Path):
        self.root = root
        self.files = sorted(
            path for path in root.rglob("*") if path.suffix.lower() in ENDINGS and not path.name.startswith(".")
        )
        self.by_name = defaultdict(list)
        for path in self.files:
            self.by_name[path.name].append(path)
            self.by_name[path.stem].append(path)

    def find(self, name: str, near: Path, split: str = "") -> Path | None:
        """The file of that name: from `near` on, from the root on, or the only one of the name (of a split)."""
        for folder in (near, self.root):
            if (folder / name).is_file():
                return folder / name
        found = self.by_name.get(Path(name.replace("\\", "/")).name, [])
        found = [path for path in found if not split or split_of(path, self.root) in ("", split)]
        return found[0] if found and (len(found) == 1 or not split) else None

    def size(self, path: Path, notes: Notes) -> tuple[int, int] | None:
        """(width, height) of an image as it is seen, upright; None, and a note, where it cannot be read."""
        try:
            return upright_size(path)
        except UsageError:
            notes.add("images cannot be read and are left out", path.name)
            return None


def split_of(path: Path, root: Path) -> str:
    """The split that a folder on the way to a file is named for; "" if none is."""
    parts = [part.casefold() for part in path.relative_to(root).parts[:-1]]
    return next((MEANT[part] for part in reversed(parts) if part in MEANT), "")


def in_image(thing: Thing, size: tuple[int, int], name: str, notes: Notes) -> Thing | None:
    """The thing with its box cut off at the edges; None, and a note, where nothing is left."""
    (left, top, right, bottom), (width, height) = thing.box, size
    cut = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
    if right <= left or bottom <= top:
        notes.add("boxes without an area are left out", name)
        return None
    if cut[2] <= cut[0] or cut[3] <= cut[1]:
        notes.add("boxes outside of their images are left out", name)
        return None
    if max(abs(a - b) for a, b in zip(cut, thing.box)) > 1:
        notes.add("boxes reach beyond their images and are cut off at the edge", name)
    return replace(thing, box=cut)


# Pascal VOC: an XML file for each image, and perhaps lists of names in ImageSets/Main


def voc(root: Path, images: Images, notes: Notes) -> tuple[list[Annotated], list[str]]:
    """Of every XML file whose root is an ``annotation``; the classes are sorted by name."""
    lists = {
        stem: split
        for spelling, split in MEANT.items()
        for file in root.rglob(f"ImageSets/Main/{spelling}.txt")
        for stem in file.read_text(encoding="utf-8").split()
    }
    found, labels, unlisted = [], set[str](), []
    for file in xml_files(root):
        tree = parsed(file)
        name = (tree.findtext("filename") or "").strip()
        path = images.find(name, file.parent) if name else None
        path = path or images.find(file.stem, file.parent)
        if path is None:
            notes.add("annotations have no image and are left out", file.relative_to(root))
            continue
        if lists and file.stem not in lists:
            unlisted.append(file.stem)
            continue
        if size := images.size(path, notes):
            things = [in_image(each, size, path.name, notes) for each in voc_things(tree, file)]
            labels |= {each.label for each in things if each}
            split = lists.get(file.stem) or split_of(path, root)
            found.append(Annotated(path, tuple(each for each in things if each), size, split))
    for stem in unlisted:
        notes.add("images are in no list of ImageSets/Main and are left out", stem)
    for path in set(images.files) - {each.path for each in found}:
        if not lists:
            notes.add("images have no annotation and are left out", path.name)
    return found, sorted(labels)


def xml_files(root: Path) -> Iterator[Path]:
    return iter(sorted(path for path in root.rglob("*.xml") if not path.name.startswith(".")))


def parsed(file: Path) -> Any:
    """The root of an XML file.

    Raises:
        UsageError: if it is none, or holds declarations of entities, which could grow without bound.
    """
    text = file.read_text(encoding="utf-8", errors="replace")
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise UsageError(f"{file} declares a document type; expected the plain XML of Pascal VOC")
    try:
        return ET.fromstring(text)
    except ET.ParseError as error:
        raise UsageError(f"{file} is not XML ({first_line(error)}); mend or remove it") from None


def voc_things(tree: Any, file: Path) -> Iterator[Thing]:
    for each in tree.iter("object"):
        label, box = (each.findtext("name") or "").strip(), each.find("bndbox")
        try:
            left, top, right, bottom = (float(box.findtext(side)) for side in ("xmin", "ymin", "xmax", "ymax"))
        except (AttributeError, TypeError, ValueError):
            raise UsageError(f"{file} has an object without xmin, ymin, xmax and ymax; mend or remove it") from None
        if not label:
            raise UsageError(f"{file} has an object without a name; mend or remove it")
        yield Thing(label, (left, top, right, bottom), difficult=(each.findtext("difficult") or "0").strip() == "1")


# COCO: a JSON file for each split


def coco(root: Path, images: Images, notes: Notes) -> tuple[list[Annotated], list[str]]:
    """Of every JSON file with images, annotations and categories; the classes in the order of their numbers."""
    found: list[Annotated] = []
    names: dict[int, str] = {}
    for file, content in coco_files(root):
        split = split_of(file, root) or named_split(file.stem)
        names |= {each["id"]: str(each["name"]) for each in content["categories"]}
        things: dict[Any, list[Any]] = defaultdict(list)
        known = {each["id"] for each in content["images"]}
        for each in content["annotations"]:
            if each["image_id"] not in known:
                notes.add("annotations are of images that are not listed and are left out", file.name)
            elif each["category_id"] not in names:
                notes.add("boxes have no known class and are left out", f"class {each['category_id']}")
            else:
                things[each["image_id"]].append(each)
        for image in content["images"]:
            path = images.find(image["file_name"], file.parent, split)
            if path is None:
                notes.add("images are not there and are left out", image["file_name"])
            elif size := images.size(path, notes):
                boxes = [in_image(coco_thing(each, names), size, path.name, notes) for each in things[image["id"]]]
                found.append(
                    Annotated(path, tuple(each for each in boxes if each), size, split or split_of(path, root))
                )
    return found, [names[number] for number in sorted(names)]


def coco_thing(each: Mapping[str, Any], names: Mapping[int, str]) -> Thing:
    left, top, width, height = (float(number) for number in each["bbox"])
    box = (left, top, left + width, top + height)
    return Thing(
        names[each["category_id"]], box, crowd=bool(each.get("iscrowd")), mask=each.get("segmentation") or None
    )


def coco_files(root: Path) -> Iterator[tuple[Path, Any]]:
    for file in sorted(root.rglob("*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError):
            continue
        if isinstance(content, dict) and {"images", "annotations", "categories"} <= set(content):
            yield file, content


def named_split(stem: str) -> str:
    """The split that a file's name says: ``instances_val2017`` is "validation".

    >>> named_split("instances_val2017"), named_split("boxes")
    ('validation', '')
    """
    words = re.split(r"[^a-z]+", stem.casefold())
    return next((MEANT[word] for word in words if word in MEANT), "")
