"""zoo.metrics.translation."""


import importlib.util
import logging

log = logging.getLogger("zoo")



def bleu(said, references) -> dict[str, float]:
    """Detokenised corpus BLEU (M. Post 2018), where sacrebleu is installed."""
    if importlib.util.find_spec("sacrebleu") is None:
        log.info("no BLEU: for it, pip install sacrebleu")
        return {}
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    score = metric.corpus_score(list(said), [list(references)])
    log.info(f"{score}; {metric.get_signature()}")
    return {"bleu": score.score}
