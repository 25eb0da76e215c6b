"""A ``tf.data.Dataset`` of what a generator yields, which goes when the last one that reads from it goes."""

from collections.abc import Callable, Iterable
from typing import Any

from zoo.backend import functions_kept
from zoo.data.tensors import tensorflow


def from_generator(generate: Callable[[], Iterable[Any]], signature: Any) -> Any:
    """`tf.data.Dataset.from_generator`, without a process that grows with each.

    TensorFlow notes the functions of such a dataset, and with them all that `generate` holds, in a list of the graph
    that lives as long as the process. They are needed as long as the dataset, which therefore holds them itself here;
    what is mapped or batched from it holds it in turn.
    """
    tf = tensorflow()
    before = len(functions_kept())
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    functions = functions_kept()
    dataset._functions = functions[before:]
    del functions[before:]
    return dataset
