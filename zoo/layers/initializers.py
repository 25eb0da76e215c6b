"""Random starts of layers."""

from typing import Any

import keras


def fresh(initializer: Any) -> Any:
    """A copy of an initializer, with a seed of its own: one instance gives all layers of a shape the same numbers.

    Names of initializers, of which each layer makes its own, come back as they are.

    >>> normal = keras.initializers.RandomNormal()
    >>> bool(keras.ops.all(normal((2, 3)) == normal((2, 3))))
    True
    >>> bool(keras.ops.all(fresh(normal)((2, 3)) == fresh(normal)((2, 3))))
    False
    """
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer
