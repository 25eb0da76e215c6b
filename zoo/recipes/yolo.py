"""Recipes of the YOLO family."""

from zoo.records import Recipe, replace

SHAPES = Recipe(
    name="demo",
    dataset="shapes:1.0.0",
    augment={"flip": True, "shift": 8},
    epochs=10,
    batch_size=32,
    learning_rate=3e-3,
    schedule="cosine",
    schedule_options={"warmup_epochs": 1},
    loss_options={"boxes": "giou"},
)
GRID_DEMO = replace(
    SHAPES, model={"filters": (16, 32, 64), "anchors": ((1.2, 1.2), (1.3, 3.0), (3.0, 1.3), (3.0, 3.0))}
)
# A cell of YOLOv2 is 32 pixels wide: images are doubled, for 4 x 4 cells, and layers are an eighth as wide. Deeper than
# the grid above, they learn slower: after 8 epochs the loss was 10.6 where the grid's, after 14, was 3.0.
YOLO_V2_DEMO = replace(
    SHAPES,
    preprocess={"resize": (128, 128)},
    augment={"flip": True, "shift": 16},
    epochs=40,
    model={"width": 0.125, "anchors": ((0.7, 0.7), (0.8, 1.6), (1.6, 0.8), (1.4, 1.4), (2.0, 2.0))},
)
TINY_DEMO = replace(YOLO_V2_DEMO, model={**YOLO_V2_DEMO.model, "width": 0.25})
YOLO_FOLDER = Recipe(
    name="folder",
    dataset="",
    preprocess={"letterbox": (416, 416)},
    augment={"crop": (0.4, 1.0), "flip": True},
    epochs=100,
    batch_size=16,
    optimizer="adamw",
    optimizer_options={"weight_decay": 5e-4},
    learning_rate=1e-3,
    schedule="cosine",
    schedule_options={"warmup_epochs": 3},
    loss_options={"boxes": "giou"},
)
VOC = replace(YOLO_FOLDER, name="voc", dataset="voc/2007:4.0.0", epochs=160, batch_size=64)
COCO = replace(
    VOC,
    name="coco",
    dataset="coco/2017:1.1.0",
    train="train[:98%]",
    validation="train[98%:]",
    test="validation",  # the boxes of the real test set were never published
)
