"""Damaged weight files by the thousand, against the reader: `python tests/weight_fuzz.py LAYOUT COUNT [SEED]`.

A small network is saved in one layout (or in "all"), mutated, and loaded from each mutant, in this process, whose
address space is limited. Two kinds of answer count as right: a `UsageError` of one line, with the network bit for bit
as it was; or, where no hash is given, a mutant that still is a readable file of the right shapes. With the hash of the
sound file, nothing but the sound bytes may load. Anything else ends the program with the mutant's number. Memory is
that of the process beyond what it had before the first mutant; it must stay under the file's size and 200 MB.

Prints a line of JSON with the counts for each layout.
"""

import hashlib
import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np
import weight_files

import zoo
from zoo.weights import hdf5_sandbox

ROOM = 200 * 2**20
LAYOUTS = ["legacy", "keras", "safetensors", "torch", "torch_legacy"]
STRANGE = [
    b"",
    b"<!DOCTYPE html><html><body>503</body></html>" * 50,
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 102967424\n",
    b"\x00" * 4096,
    b"\x89HDF\r\n\x1a\n",
    b"PK\x03\x04",
    b"\xff" * 8 + b"{}",
    (2**40).to_bytes(8, "little") + b'{"a":{}}',
    b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
]
SIZES = [2**7, 2**15, 2**16, 2**20, 2**31, 2**32, 2**40, 2**63 - 1, 0, 2**64 - 1]  # what bombs declare


def build(**options):
    return zoo.build(
        "resnet18", **{"input_shape": (32, 32, 3), "width": 4, "blocks": (1,), "num_classes": 3, **options}
    )


def save(network, layout, folder):
    """The network in one layout. Returns the path."""
    path = folder / "sound"
    if layout == "torch" or layout == "torch_legacy":
        names = {"conv1_conv": "conv1", "conv1_bn": "bn1", "logits": "fc"}
        names |= {f"conv2_block1_{n}_{kind}": f"layer1.0.{kind}{n}" for n in (1, 2) for kind in ("conv", "bn")}
        state = weight_files.to_torch(network, names)
        return weight_files.save_torch(state, path, _use_new_zipfile_serialization=layout == "torch")
    if layout == "keras":
        return weight_files.save_keras(network, folder / "sound.weights.h5")
    return {"legacy": weight_files.save_legacy, "safetensors": weight_files.save_safetensors}[layout](network, path)


def header_end(data, layout):
    """Where most of the structure is, so that mutants hit it as often as the numbers."""
    return 8 + int.from_bytes(data[:8], "little") if layout == "safetensors" else len(data)


def mutate(data, layout, draw, others):
    """One mutant, and what was done."""
    kind = draw.choice(
        ["flip", "flips", "cut", "zero", "splice", "number", "text", "strange", "grow", "other"],
        p=[0.3, 0.12, 0.12, 0.08, 0.08, 0.12, 0.08, 0.04, 0.03, 0.03],
    )
    mutant = bytearray(data)
    end = header_end(data, layout) if draw.random() < 0.5 else len(data)
    at = int(draw.integers(end))
    if kind == "flip":
        mutant[at] ^= 1 << int(draw.integers(8))
    elif kind == "flips":
        for place in draw.integers(0, end, int(draw.integers(2, 40))):
            mutant[place] ^= int(draw.integers(1, 256))
    elif kind == "cut":
        del mutant[at:]
    elif kind == "zero":
        length = int(draw.integers(1, 2000))
        mutant[at : at + length] = bytes(len(mutant[at : at + length]))
    elif kind == "splice":
        source, length = int(draw.integers(len(data))), int(draw.integers(1, 500))
        mutant[at : at + length] = data[source : source + length]
    elif kind == "number":  # sizes and offsets are little-endian in all layouts
        width = int(draw.choice([2, 4, 8]))
        size = int(SIZES[draw.integers(len(SIZES))]) % 2 ** (8 * width)
        mutant[at : at + width] = size.to_bytes(width, "little")
    elif kind == "text":  # in headers of text
        digits = [place for place in range(min(end, len(mutant))) if 48 <= mutant[place] <= 57]
        for place in draw.choice(digits or [0], min(len(digits) or 1, 4)):
            mutant[place] = int(draw.integers(48, 58))
    elif kind == "strange":
        mutant = bytearray(STRANGE[draw.integers(len(STRANGE))])
    elif kind == "grow":
        mutant += bytes(draw.integers(0, 256, int(draw.integers(1, 4000)), dtype="uint8"))
    else:
        mutant = bytearray(others[draw.integers(len(others))])
    return bytes(mutant), str(kind)


def memory():
    """The most that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(layouts, count, seed=0):
    hdf5_sandbox.TIMEOUT = 5.0
    if importlib.util.find_spec("torch"):  # which a mutant of any layout may look like a file of
        import torch._subclasses.fake_tensor  # noqa: F401
    else:
        layouts = [layout for layout in layouts if not layout.startswith("torch")]
    with tempfile.TemporaryDirectory() as folder:
        sound = {layout: files(layout, Path(folder)) for layout in layouts}
        start = memory()
        with open("/proc/self/statm") as statm:
            now = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + 2 * ROOM, resource.getrlimit(resource.RLIMIT_AS)[1]))
        for layout, (data, others) in sound.items():
            began = time.perf_counter()
            counts = {"layout": layout, **campaign(layout, data, others, count, seed, Path(folder))}
            counts["MB"] = round((memory() - start) / 2**20, 1)
            counts["seconds"] = round(time.perf_counter() - began)
            assert memory() - start < len(data) + ROOM, counts
            print(json.dumps(counts), flush=True)


def files(layout, folder):
    """The bytes of a sound file, loaded once so that every library is imported, and of files of other networks."""
    sound = save(weight_files.randomise(build()), layout, folder)
    zoo.load_weights(build(), sound)
    data = sound.read_bytes()
    options = ({"width": 5}, {"input_shape": (32, 32, 2), "num_classes": 4, "width": 3}, {"stem": "3x3"})
    return data, [save(build(**each), layout, folder).read_bytes() for each in options]


def campaign(layout, sound, others, count, seed, folder):
    """Load `count` mutants, each with and without the hash of the sound file. Returns what became of them."""
    draw = np.random.default_rng(seed)
    digest = f"sha256:{hashlib.sha256(sound).hexdigest()}"
    path = folder / "mutant"
    model = build()
    before = weight_files.values(model)
    counts = dict.fromkeys(("mutants", "refused with the hash", "refused without", "loaded without"), 0)
    for number in range(count):
        mutant, kind = mutate(sound, layout, draw, others)
        if mutant == sound:
            continue
        path.write_bytes(mutant)
        counts["mutants"] += 1
        counts["refused with the hash"] += refused(model, path, before, f"{number} ({kind})", hash=digest)
        if refused(model, path, before, f"{number} ({kind})"):
            counts["refused without"] += 1
            continue
        counts["loaded without"] += 1
        finite = all(np.isfinite(value).all() for value in weight_files.values(model).values())
        assert finite, f"mutant {number} ({kind}) put numbers into the network that are not finite"
        for variable in model.weights:
            variable.assign(before[variable.path])
    assert counts["refused with the hash"] == counts["mutants"], counts
    return counts


def refused(model, path, before, what, **options):
    try:
        zoo.load_weights(model, path, **options)
    except zoo.UsageError as error:
        assert "\n" not in str(error), f"mutant {what}: {error}"
        assert weight_files.same(weight_files.values(model), before), f"mutant {what} changed the network"
        return True
    except BaseException:
        print(f"mutant {what} escaped", file=sys.stderr)
        raise
    return False


if __name__ == "__main__":
    main(LAYOUTS if sys.argv[1] == "all" else [sys.argv[1]], *map(int, sys.argv[2:]))
