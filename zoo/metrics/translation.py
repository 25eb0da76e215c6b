"""How good translations are: BLEU, by sacrebleu."""

import importlib.util
from collections.abc import Sequence


def bleu(predictions: Sequence[str], references: Sequence[str]) -> tuple[float, str] | None:
    """Detokenised corpus BLEU (M. Post 2018) and its signature; None where sacrebleu is not installed."""
    if importlib.util.find_spec("sacrebleu") is None:
        return None
    import sacrebleu

    metric = sacrebleu.BLEU()
    score = metric.corpus_score(list(predictions), [list(references)])
    return score.score, str(metric.get_signature())
