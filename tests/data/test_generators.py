"""A dataset from a generator, as long as somebody reads from it and no longer."""

import gc
import weakref

import numpy as np
import tensorflow as tf

from zoo.data.epochs import shuffled
from zoo.data.generators import from_generator


class Text:
    def __iter__(self):
        return iter(range(4))


def test_what_a_generator_holds_goes_with_its_dataset():
    text = Text()
    gone = weakref.ref(text)
    numbers = from_generator(lambda text=text: iter(text), tf.TensorSpec((), tf.int64))
    batches = numbers.map(lambda number: number + 1).batch(2).prefetch(1)
    seeds = np.zeros(2, "int64")
    orders = from_generator(lambda: [seeds], tf.TensorSpec((2,), tf.int64)).flat_map(
        lambda seed, batches=batches: shuffled(batches.unbatch(), 4, seed)
    )
    del text, numbers
    gc.collect()
    assert gone() is not None
    assert [batch.tolist() for batch in batches.as_numpy_iterator()] == [[1, 2], [3, 4]]
    iterator = iter(batches)
    del batches
    gc.collect()
    assert sorted(orders.as_numpy_iterator()) == [1, 2, 3, 4]
    assert next(iterator).numpy().tolist() == [1, 2]
    del orders, iterator
    gc.collect()
    assert gone() is None
