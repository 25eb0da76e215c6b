"""zoo.metrics.classification."""



import numpy as np

from zoo.metrics import classification


def probabilities(logits):
    """Softmax; one logit z stands for the pair (0, z)."""
    if logits.shape[-1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def classified(truth, logits):
    chances = classification.probabilities(logits)
    return {
        "accuracy": float(np.mean(chances.argmax(-1) == truth)),
        "calibration_error": calibration_error(truth, chances),
    }


def calibration_error(truth, chances, bins=15):
    """The mean gap between confidence and accuracy over bins of confidence (Guo 2017, section 2, equation 3)."""
    confidence, right = chances.max(-1), chances.argmax(-1) == truth
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[bin_of == each].mean() - right[bin_of == each].mean()) * (bin_of == each).mean()
        for each in np.unique(bin_of)
    ]
    return float(np.sum(gaps))


def errors(truth, predictions):
    residual = predictions - truth
    return {"mae": float(np.mean(np.abs(residual))), "rmse": float(np.sqrt(np.mean(np.square(residual))))}
