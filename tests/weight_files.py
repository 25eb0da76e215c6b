"""Files of weights as others write them, for tests: each layout from the variables of a network."""

import h5py
import keras
import numpy as np


def randomise(model, seed=0):
    """Values of a scale that keeps the signal alive, running statistics far from 0 and 1. Returns the model."""
    draw = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(draw.uniform(0.5, 1.5, shape))
        elif len(shape) > 1:
            variable.assign(draw.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))
        else:
            variable.assign(draw.normal(0, 0.3, shape))
    return model


def values(model):
    """Every variable of a network, bit for bit, by path."""
    return {variable.path: np.copy(keras.ops.convert_to_numpy(variable.value)) for variable in model.weights}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


def save_legacy(model, path, *, rename=lambda layer: layer, weight_name="{layer}/{weight}:0"):
    """As Keras 2 wrote the files of keras.applications: fixed-length names, ":0" behind those of weights."""
    with h5py.File(path, "w") as file:
        names = [rename(layer.name) for layer in model.layers]
        file.attrs["layer_names"] = np.array([name.encode() for name in names])
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        for layer, name in zip(model.layers, names):
            group = file.create_group(name)
            weights = [weight_name.format(layer=name, weight=variable.name) for variable in layer.weights]
            group.attrs["weight_names"] = np.array([weight.encode() for weight in weights])
            for weight, variable in zip(weights, layer.weights):
                group[weight] = keras.ops.convert_to_numpy(variable.value)
    return path


def save_keras(model, path):
    model.save_weights(path)
    return path


def save_safetensors(model, path):
    from safetensors.numpy import save_file

    save_file(values(model), path)
    return path


def to_torch(model, name_of):
    """The state dict that PyTorch would hold, from a network here and its layers' names there."""
    state = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        prefix = name_of[layer.name]
        for variable in layer.weights:
            value = np.copy(keras.ops.convert_to_numpy(variable.value))
            if value.ndim == 4:
                value = value.transpose(3, 2, 0, 1)
            elif value.ndim == 2:
                maps = flattened_maps(model, layer)
                if maps:
                    value = value.reshape(*maps, -1).transpose(2, 0, 1, 3).reshape(value.shape)
                value = value.T
            word = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias",
                    "moving_mean": "running_mean", "moving_variance": "running_var"}[variable.name]  # fmt: skip
            state[f"{prefix}.{word}"] = np.ascontiguousarray(value)
        if isinstance(layer, keras.layers.BatchNormalization):
            state[f"{prefix}.num_batches_tracked"] = np.array(7, "int64")
    return state


def flattened_maps(model, dense):
    """The maps in front of the network's Flatten, if `dense` is the first layer behind it."""
    names = [layer.name for layer in model.layers]
    if "flatten" not in names:
        return None
    behind = [layer for layer in model.layers[names.index("flatten") :] if layer.weights]
    return model.get_layer("flatten").input.shape[1:] if behind[0] is dense else None


def save_torch(state, path, **options):
    import torch

    torch.save({key: torch.from_numpy(np.asarray(value)) for key, value in state.items()}, path, **options)
    return path


def save_state_safetensors(state, path):
    from safetensors.numpy import save_file

    save_file({key: np.asarray(value) for key, value in state.items()}, path)
    return path
