"""Our networks against those of keras.applications: a file as Keras writes them, through the loader, equal outputs."""

import keras
import numpy as np
from weight_files import randomise, save_legacy

import zoo

MEAN, VARIANCE = np.array([0.485, 0.456, 0.406]), np.array([0.3, 0.2, 0.1])  # of the pixels, over 255


def normalised(x):
    """What a Rescaling and a Normalization inside of a network of keras.applications do, by the numbers above."""
    return ((x / 255 - MEAN) / np.sqrt(VARIANCE)).astype("float32")


def images(shape, count=4, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype("float32")


def scrambled(model, x):
    """Random weights, and the statistics of a random batch, so that signal and rounding keep their size to the end."""
    randomise(model)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.set_weights([MEAN, VARIANCE, np.array(0)])
            layer.finalize_state()
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # in both networks: they are run for inference
    for layer in norms:
        layer.momentum = 0.0  # the statistics of one batch, whole
    model(x, training=True)
    for layer in norms:
        found = keras.ops.convert_to_numpy(layer.moving_variance)
        layer.moving_variance.assign(found + 0.01 * found.mean())
    return model


def difference(ours, theirs):
    """The largest difference, as a fraction of the largest value."""
    ours, theirs = (keras.ops.convert_to_numpy(each) for each in (ours, theirs))
    assert ours.shape == theirs.shape
    assert np.isfinite(theirs).all() and np.abs(theirs).max() > 1e-3, "nothing came through"
    assert np.ptp(theirs, axis=0).max() > 0.01 * np.abs(theirs).max(), "the image has no effect"
    found = np.abs(ours - theirs).max() / np.abs(theirs).max()
    print(f"largest difference {found:.1e} of the largest value")
    return found


def from_keras(name, theirs, path, shape, *, scale=None, rename=lambda layer: layer, **options):
    """The difference between a network of keras.applications with scrambled weights and ours with its file.

    Args:
        name: of ours.
        theirs: a network of keras.applications, without its softmax.
        path: for the file.
        shape: of the images.
        scale: what their network does to pixels before its first convolution, as it is done here outside.
        rename: the names of layers in the file.
        **options: of ours.
    """
    x = images(shape) if scale is None else 128 + 60 * images(shape)
    save_legacy(scrambled(theirs, x), path, rename=rename)
    ours = zoo.build(name, input_shape=shape, weights=path, **options)
    return difference(ours(scale(x) if scale else x, training=False), theirs(x, training=False))
