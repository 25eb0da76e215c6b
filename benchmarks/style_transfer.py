"""Style transfer on the photographs of scikit-learn and scikit-image: how far, how fast, beside a published network.

    python benchmarks/style_transfer.py curve [--weights FILE --preprocessing torch]        100, 300, 500 steps
    python benchmarks/style_transfer.py speed [--sizes 256 512]                            seconds and memory of a step
    python benchmarks/style_transfer.py fast [--epochs 60]                  fast_style against the optimised image
    python benchmarks/style_transfer.py peer --adain FOLDER [--weights FILE]     AdaIN, published, side by side

Each writes rows to --record FILE.csv and images to --out FOLDER. style: the style loss, as a fraction of that of
the photograph itself; content: the content loss, relative to the feature maps of the photograph.
"""

import argparse
import resource
import time
from pathlib import Path

import keras
import numpy as np
from PIL import Image

import zoo
from zoo import losses, plots, results
from zoo.data.builtin.photographs import photographs
from zoo.data.image.files import limited
from zoo.inference import stylize
from zoo.inference.style_optimization import OPTIMIZERS, StyleOptimization, adam, use_xla
from zoo.tasks.style_transfer import in_the_colours


def image(name):
    """(height, width, 3) bytes: scikit-learn's china or flower, or what scikit-image has under that name."""
    if name in ("china", "flower"):
        return dict(zip(("china", "flower"), photographs()))[name]
    from skimage import color, data

    found = getattr(data, name)()
    return found if found.ndim == 3 else (255 * color.gray2rgb(found / 255)).astype("uint8")


def pair(arguments, size):
    """The photograph and the style, 0 to 1, both in the photograph's shape with `size` pixels on the longer side."""
    content, style = map(image, arguments.images)
    shape = limited(content.shape[1::-1], size, "the photograph")
    return [
        np.asarray(Image.fromarray(each).resize(shape, Image.Resampling.LANCZOS), "float32") / 255
        for each in (content, style)
    ]


def filters(arguments):
    """Options of the loss, and their name in the tables."""
    if not arguments.weights:
        return {"width": arguments.width, "filter_seed": arguments.seed}, f"untrained, width {arguments.width:g}"
    return {"weights": arguments.weights, "preprocessing": arguments.preprocessing, "width": 1.0}, "ImageNet"


def terms(loss, image):
    found = loss.terms(None, keras.ops.convert_to_tensor(image[None]))
    return {name: float(keras.ops.convert_to_numpy(keras.ops.stop_gradient(value))[0]) for name, value in found.items()}


class Recorder:
    """In place of the progress bar: the terms of the loss after some steps, and when each step ended."""

    def __init__(self, at):
        self.at, self.step, self.found, self.images, self.times = at, 0, {}, {}, []

    def on_step(self, painting):
        self.step += 1
        self.times.append(time.perf_counter())
        if self.step in self.at:
            self.found[self.step], self.images[self.step] = painting.terms(), painting.image()


def painting(arguments, size, steps, options, **settings):
    chosen = stylize.StyleSettings(steps=steps, seed=arguments.seed, verbose=0, **settings)
    content, style = pair(arguments, size)
    return StyleOptimization(content, [style], chosen, options)


def curve(arguments):
    options, kind = filters(arguments)
    work = painting(arguments, arguments.size, max(arguments.steps), options, optimizer=arguments.optimizer)
    before, recorder = terms(work.loss, work.content), Recorder(arguments.steps)
    coloured = np.clip(in_the_colours(work.content, pair(arguments, arguments.size)[1]), 0, 1)
    baseline = terms(work.loss, coloured.astype("float32"))["style"] / before["style"]
    OPTIMIZERS[arguments.optimizer](work, recorder)
    for step, found in recorder.found.items():
        row = {
            "pictures": " and ".join(arguments.images), "filters": kind, "optimizer": arguments.optimizer,
            "size": arguments.size, "steps": step,
            "style": f"{found['style'] / before['style']:.5f}", "content": f"{found['content']:.4f}",
            "colours_alone": f"{baseline:.4f}", "seed": arguments.seed,
        }  # fmt: skip
        save_row(arguments, row)
    what = [*arguments.images, kind.partition(",")[0].lower(), arguments.optimizer, str(arguments.size)]
    labels = ("photograph", "style", *(f"{step} steps" for step in recorder.images))
    row = (work.content, pair(arguments, arguments.size)[1], *recorder.images.values())
    save_figure(arguments, plots.gallery([row], labels), f"curve-{'-'.join(what)}.png")


def speed(arguments):
    options, kind = filters(arguments)
    for size in arguments.sizes:
        work, recorder = painting(arguments, size, 2 + arguments.repeat, options), Recorder(())
        adam(work, recorder)
        seconds = np.median(np.diff(recorder.times)[1:])
        height, width, _ = work.content.shape
        row = {
            "filters": kind, "pixels": f"{width}x{height}", "seconds_per_step": f"{seconds:.3g}",
            "steps": arguments.repeat, "estimated_MiB": round(stylize.memory(width, height) / 2**20),
            "process_peak_MiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10),
        }  # fmt: skip
        save_row(arguments, row)


def fast(arguments):
    """Trained on twelve tiles, judged on held-out ones; each of those by optimisation (Gatys 2016) as well."""
    from zoo.data import open_source

    options, kind = filters(arguments)
    source = open_source("photo_tiles", data_dir=arguments.data_dir).load()

    def tiles(split):
        both = next(source.split(split).batch(20).as_numpy_iterator())
        return [each[:, ::2, ::2].astype("float32") / 255 for each in both]

    (train, style), (test, _) = tiles("train"), tiles("test")
    loss = losses.Perceptual(**options)
    keras.utils.set_random_seed(arguments.seed)
    model = zoo.build("fast_style", input_shape=(None, None, 3), width=0.5, blocks=3)
    model.compile(keras.optimizers.Adam(2e-3), loss=loss, jit_compile=use_xla())
    started = time.perf_counter()
    model.fit(train, np.stack([train, style], axis=1), batch_size=4, epochs=arguments.epochs, verbose=0)
    seconds = time.perf_counter() - started
    losses_of, rows = [], []
    for tile in test:
        settings = stylize.StyleSettings(steps=max(arguments.steps), seed=arguments.seed, verbose=0)
        work = StyleOptimization(tile, [style[0]], settings, options)
        adam(work, Recorder(()))
        in_one_pass = keras.ops.convert_to_numpy(model(tile[None]))[0]
        before = terms(work.loss, tile)["style"]
        losses_of.append([terms(work.loss, each) for each in (in_one_pass, work.image())])
        losses_of[-1] = [(each["style"] / before, each["content"]) for each in losses_of[-1]]
        rows.append((tile, style[0], in_one_pass, work.image()))
    for name, found in zip(("fast_style", f"style_transfer, {max(arguments.steps)} steps"), zip(*losses_of)):
        found = np.array(found)
        row = {
            "filters": kind, "what": name, "epochs": arguments.epochs, "train_seconds": round(seconds),
            "style_mean": f"{found[:, 0].mean():.4f}", "style_worst": f"{found[:, 0].max():.4f}",
            "content_mean": f"{found[:, 1].mean():.4f}", "tiles": len(found), "seed": arguments.seed,
        }  # fmt: skip
        save_row(arguments, row)
    titles = ("unseen tile", "style", "fast_style", "optimised")
    save_figure(arguments, plots.gallery(rows, titles), "fast_style.png")


def peer(arguments):
    from zoo.weights.adain import load_adain

    options, kind = filters(arguments)
    work = painting(arguments, arguments.size, max(arguments.steps), options)
    content, style = work.content, pair(arguments, arguments.size)[1]
    adain = zoo.build("adain", input_shape=(None, None, 3))
    load_adain(adain, arguments.adain / "vgg_normalized.pth", arguments.adain / "decoder.pth")
    inputs = {"image": content[None], "style": style[None]}
    adain(inputs)  # once, so that no preparation is timed
    started = time.perf_counter()
    theirs = np.clip(keras.ops.convert_to_numpy(adain(inputs))[0], 0, 1)[: content.shape[0], : content.shape[1]]
    seconds = [time.perf_counter() - started]
    started = time.perf_counter()
    adam(work, Recorder(()))
    seconds.append(time.perf_counter() - started)
    before = terms(work.loss, content)["style"]
    for name, image, took in zip(("adain, published", "style_transfer"), (theirs, work.image()), seconds):
        found = terms(work.loss, image)
        row = {
            "judged_by": kind, "what": name, "pixels": f"{content.shape[1]}x{content.shape[0]}",
            "steps": 1 if name.startswith("adain") else max(arguments.steps), "seconds": f"{took:.1f}",
            "style": f"{found['style'] / before:.4f}", "content": f"{found['content']:.4f}",
        }  # fmt: skip
        save_row(arguments, row)
    titles = ("photograph", "style", "AdaIN, one pass", f"optimised, {max(arguments.steps)} steps")
    save_figure(arguments, plots.gallery([(content, style, theirs, work.image())], titles, width=3.4), "peer.png")


def save_row(arguments, row):
    print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if arguments.record:
        results.append(arguments.record, row)


def save_figure(arguments, figure, name):
    arguments.out.mkdir(parents=True, exist_ok=True)
    plots.save(figure, arguments.out / name)


MEASURES = {"curve": curve, "speed": speed, "fast": fast, "peer": peer}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=MEASURES)
    parser.add_argument(
        "--images", nargs=2, default=["china", "flower"], metavar="NAME",
        help="a photograph and a style: scikit-learn's, or of skimage.data, as chelsea and coffee",
    )  # fmt: skip
    parser.add_argument("--weights", default="", help="of VGG-16; without, untrained filters")
    parser.add_argument("--preprocessing", default="", help="of the weights: caffe or torch")
    parser.add_argument("--width", type=float, default=0.5, help="of untrained filters")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 300, 500])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--optimizer", default="adam", choices=OPTIMIZERS)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--adain", type=Path, help="a folder with vgg_normalized.pth and decoder.pth")
    parser.add_argument("--data-dir")
    parser.add_argument("--record", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out"))
    chosen = parser.parse_args()
    MEASURES[chosen.what](chosen)
