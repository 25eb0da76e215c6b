"""How the Transformers of `zoo.models.transformer` are trained."""

from zoo.recipes import AGREEMENT, IMDB_REVIEWS, TEXTS
from zoo.records import Expected, Recipe, replace

# Dates, from any written form to ISO 8601. Normalised before each sublayer, it learns this in fewer steps than in the
# paper's way, after each sum.
DATES = Recipe(
    name="demo",
    dataset="written_dates:1.0.0",
    preprocess={"tokens": "characters", "length": 40},
    model={"num_layers": 2, "dim": 64, "num_heads": 4, "mlp_dim": 128, "norm": "pre", "dropout": 0.0},
    epochs=18,
    batch_size=64,
    optimizer_options={"beta_2": 0.98, "epsilon": 1e-9},
    learning_rate=3e-3,
    schedule="inverse_sqrt",
    schedule_options={"warmup_steps": 400},
    expected=Expected("exact_match", 0.98, "worst of 3 seeds: results/demo.csv"),
)
TRANSLATE_FOLDER = Recipe(
    name="translate_folder",
    dataset="",
    preprocess={
        "tokens": "subwords",
        "vocabulary": 8000,
        "length": 64,
        "batch_tokens": 4096,
        "source": "",  # of more than two languages: --option source=de --option target=fr
        "target": "",
    },
    # After each sum, two of three trainings on Multi30k learned little from the source: 26 BLEU in place of 40.
    model={"num_layers": 4, "dim": 256, "num_heads": 8, "mlp_dim": 1024, "dropout": 0.3, "norm": "pre"},
    epochs=40,
    optimizer_options={"beta_2": 0.98, "epsilon": 1e-9},
    ema_momentum=0.998,
    learning_rate=1.5e-3,
    schedule="inverse_sqrt",
    schedule_options={"warmup_steps": 2000},
)
TRANSLATE_FOLDER_BACK = replace(
    TRANSLATE_FOLDER, name="translate_folder_back", preprocess={**TRANSLATE_FOLDER.preprocess, "reverse": True}
)
TED = replace(
    TRANSLATE_FOLDER,
    name="ted_hrlr_translate",
    dataset="ted_hrlr_translate/pt_to_en:1.0.0",
    expected=Expected("bleu", 25.0, "public models of the same data reach 29 on a part of it", measured=False),
)

CLASSIFIER_DEMO = replace(
    AGREEMENT,
    model={"num_layers": 2, "dim": 32, "num_heads": 4, "mlp_dim": 64, "dropout": 0.0},
    learning_rate=2e-3,
    schedule_options={"warmup_epochs": 2},
)
IMDB = replace(IMDB_REVIEWS, expected=Expected("accuracy", 0.86, "keras-io's example reports .8745", measured=False))
TEXT_FOLDER = replace(
    IMDB,
    name="text_folder",
    dataset="",
    train="train",
    validation="validation",
    preprocess=TEXTS,
    min_steps=1000,
    patience=5,
    expected=None,
)
