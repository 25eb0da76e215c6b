"""The formats of `zoo export`: what writes each, how it is read back, and where the names of classes are in it."""

import contextlib
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

CLASSES = "classes.json"  # the list of their names, inside of a file or folder

Answer = Callable[[Sequence[np.ndarray]], list[np.ndarray]]  # of all inputs at once, in the order of the network's


@dataclass(frozen=True)
class Format:
    """One that Keras writes."""

    keras_name: str  # for `keras.Model.export`; "" for `save`
    suffix: str  # of the file; "" for a folder
    backends: tuple[str, ...]  # that write it
    packages: tuple[str, ...]  # that write and read it
    read: Callable[[Path], Answer]
    name_classes: Callable[[Path, str], None]  # by a list in JSON
    also: str = ""  # suffix of a second file, beside the first


def write(model: keras.Model, format: Format, path: Path, classes: Sequence[str] = (), **options: Any) -> None:
    """A network in a format, with the names of its classes."""
    if not format.keras_name:
        model.save(path)
    else:
        if format.keras_name == "onnx":
            teach_erfc()
        model.export(str(path), format=format.keras_name, verbose=False, **any_batch(model, format), **options)
    if format.keras_name == "openvino":
        change_openvino(path, leave_outputs)
    if classes:
        format.name_classes(path, json.dumps([*classes], ensure_ascii=False))


def teach_erfc() -> None:
    """Tell tf2onnx that erfc(x) = 1 - erf(x): it passes the operation on by its name, which no ONNX program knows; the
    exact GELU of BERT, ViT and ConvNeXt is made of it."""
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, graph: Any, node: Any, **_: Any) -> None:
            (given,), (output,) = node.input, node.output
            shape, dtype = graph.get_shape(output), graph.get_dtype(output)
            graph.remove_node(node.name)
            erf = graph.make_node("Erf", [given], shapes=[shape], dtypes=[dtype])
            one = graph.make_const(f"{node.name}/one", np.ones((), "float32"))
            graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=[output], shapes=[shape], dtypes=[dtype])


def in_whole_numbers(examples: Callable[[], Iterable[list[np.ndarray]]]) -> dict[str, Any]:
    """Options of `write` for LiteRT in int8, calibrated on examples."""
    import tensorflow as tf

    return {"optimizations": [tf.lite.Optimize.DEFAULT], "representative_dataset": examples}


def any_batch(model: keras.Model, format: Format) -> dict[str, Any]:
    """What it takes that a file answers any number of examples of any length; of several inputs PyTorch answers one."""
    if format.keras_name != "torch" or len(model.inputs) > 1:
        return {}
    import torch

    sizes = enumerate(model.inputs[0].shape)
    return {"dynamic_shapes": {axis: torch.export.Dim.AUTO for axis, size in sizes if size is None}}


def flat(outputs: Any) -> list[np.ndarray]:
    """All outputs, those of a dictionary in the order of their names."""
    return [np.asarray(keras.ops.convert_to_numpy(each), "float32") for each in keras.tree.flatten(outputs)]


# Reading back


def read_keras(path: Path) -> Answer:
    model = keras.saving.load_model(path, compile=False)
    return lambda x: flat(model(keras.tree.pack_sequence_as(model.input, list(x)), training=False))


def read_saved_model(path: Path) -> Answer:
    import tensorflow as tf

    served = tf.saved_model.load(str(path))
    names = sorted(served.signatures["serving_default"].structured_input_signature[1], key=natural)

    def answer(x: Sequence[np.ndarray]) -> list[np.ndarray]:
        given = {name: tf.constant(each) for name, each in zip(names, x)}
        return flat(served.signatures["serving_default"](**given))

    return answer


def read_onnx(path: Path) -> Answer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return lambda x: flat(session.run(None, dict(zip(names, x))))


def read_litert(path: Path) -> Answer:
    runner = litert_interpreter(path).get_signature_runner()
    names = sorted(runner.get_input_details(), key=natural)
    return lambda x: flat(runner(**dict(zip(names, x))))


def litert_interpreter(path: Path) -> Any:
    """Google's own small package where it is installed, else TensorFlow's."""
    with contextlib.suppress(ImportError):
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(model_path=str(path))
    import tensorflow as tf

    return tf.lite.Interpreter(model_path=str(path))


def read_torch(path: Path) -> Answer:
    import torch

    program = torch.export.load(str(path))
    module, structure = program.module(), program.call_spec.in_spec

    def answer(x: Sequence[np.ndarray]) -> list[np.ndarray]:
        rows = []
        for row in range(len(x[0])):  # where it has several inputs, it answers one by one
            given = [torch.from_numpy(each[row : row + 1]) for each in x]
            arguments, named = torch.utils._pytree.tree_unflatten(given, structure)
            rows.append(flat(module(*arguments, **named)))
        return [np.concatenate(each) for each in zip(*rows)]

    return answer


def read_openvino(path: Path) -> Answer:
    import openvino

    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda x: flat(compiled(list(x)).to_tuple())


def natural(name: str) -> tuple[str, int]:
    """The order of "args_0", "args_0_1", "args_0_10"."""
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdecimal() else (name, -1)


# Class names, a list in JSON


def in_zip(path: Path, classes: str) -> None:
    """As one more file of an archive; a LiteRT file may have one behind it (its "associated files")."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CLASSES, classes)


def in_torch(path: Path, classes: str) -> None:
    """As an extra file of the archive, which `torch.export.load` gives back."""
    import torch

    torch.export.save(torch.export.load(str(path)), str(path), extra_files={CLASSES: classes})


def in_folder(path: Path, classes: str) -> None:
    """Among the assets that a SavedModel carries for its users."""
    (path / "assets.extra").mkdir(exist_ok=True)
    (path / "assets.extra" / CLASSES).write_text(classes, encoding="utf-8")


def in_onnx(path: Path, classes: str) -> None:
    """Among the model's metadata, which `session.get_modelmeta()` shows."""
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"classes": classes})
    onnx.save(model, path)


def in_openvino(path: Path, classes: str) -> None:
    """Among the model's runtime information."""
    change_openvino(path, lambda model: model.set_rt_info(classes, ["model_info", "classes"]))


def leave_outputs(model: Any) -> None:
    """Take out of OpenVINO's model what is no output of the network, as its assertions."""
    for result in model.get_results():
        if all("/" in name for name in result.output(0).get_names()):  # an output is "Identity:0", or has its own name
            model.remove_result(result)


def change_openvino(path: Path, change: Callable[[Any], None]) -> None:
    """Read OpenVINO's file, change the model and write it back."""
    import openvino

    model = openvino.Core().read_model(path)
    change(model)
    beside = path.with_name(f"changed-{path.name}")
    openvino.save_model(model, beside, compress_to_fp16=False)
    del model  # which maps the weights from the file that is replaced now
    for suffix in (".xml", ".bin"):
        beside.with_suffix(suffix).replace(path.with_suffix(suffix))


FORMATS = {
    "keras": Format("", ".keras", (), (), read_keras, in_zip),
    "saved_model": Format("tf_saved_model", "", ("tensorflow", "jax"), ("tensorflow",), read_saved_model, in_folder),
    "onnx": Format("onnx", ".onnx", ("tensorflow",), ("onnx", "tf2onnx", "onnxruntime"), read_onnx, in_onnx),
    "litert": Format("litert", ".tflite", ("tensorflow",), ("tensorflow",), read_litert, in_zip),
    "torch": Format("torch", ".pt2", ("torch",), ("torch",), read_torch, in_torch),
    "openvino": Format("openvino", ".xml", ("tensorflow",), ("openvino",), read_openvino, in_openvino, ".bin"),
}
