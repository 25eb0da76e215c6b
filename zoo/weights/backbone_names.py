"""The names that the networks since DenseNet have elsewhere, as `zoo.weights.converters` wants them.

State dicts of torchvision and timm, and the files of keras.applications where their names are not those here.
"""

import re
from string import ascii_lowercase

PARTS = {"0": "", "1": "_bn"}  # of torchvision's Conv2dNormActivation: its convolution and its normalisation
SQUEEZE = {"fc1": "squeeze_excite_conv", "fc2": "squeeze_excite_conv_1"}


def groups(pattern: str, layer: str) -> tuple[str, ...]:
    """The groups of a pattern in a layer's name; a KeyError if it does not match, as for a name in no table."""
    found = re.fullmatch(pattern, layer)
    if found is None:
        raise KeyError(layer)
    return found.groups()


def mobilenet_v2(layer: str) -> str | None:
    """torchvision's.

    >>> mobilenet_v2("features.1.conv.1"), mobilenet_v2("features.17.conv.1.1"), mobilenet_v2("features.18.0")
    ('expanded_conv_project', 'block_16_depthwise_bn', 'conv_1')
    """
    ends = {"features.0.0": "conv1", "features.0.1": "bn_conv1", "classifier.1": "logits"}
    ends |= {"features.18.0": "conv_1", "features.18.1": "conv_1_bn"}
    if layer in ends:
        return ends[layer]
    number, part = groups(r"features\.(\d+)\.conv\.([\d.]+)", layer)
    first = {"0.0": "depthwise", "0.1": "depthwise_bn", "1": "project", "2": "project_bn"}
    if number == "1":
        return f"expanded_conv_{first[part]}"
    others = {"0.0": "expand", "0.1": "expand_bn", "1.0": "depthwise", "1.1": "depthwise_bn"}
    others |= {"2": "project", "3": "project_bn"}
    return f"block_{int(number) - 1}_{others[part]}"


def mobilenet_v3(layer: str) -> str | None:
    """torchvision's, both sizes.

    >>> mobilenet_v3("features.1.block.1.fc1"), mobilenet_v3("features.4.block.3.1"), mobilenet_v3("features.12.0")
    ('expanded_conv_squeeze_excite_conv', 'expanded_conv_3_project_bn', 'conv_1')
    """
    if layer in ("classifier.0", "classifier.3"):
        return {"classifier.0": "conv_2", "classifier.3": "logits"}[layer]
    if end := re.fullmatch(r"features\.(\d+)\.([01])", layer):
        return ("conv" if end[1] == "0" else "conv_1") + PARTS[end[2]]
    number, step, part = groups(r"features\.(\d+)\.block\.(\d)\.(0|1|fc1|fc2)", layer)
    block = "expanded_conv" if number == "1" else f"expanded_conv_{int(number) - 1}"
    if part in SQUEEZE:
        return f"{block}_{SQUEEZE[part]}"
    kind = ["expand", "depthwise", "project", "project"][int(step) + (number == "1")]
    return f"{block}_{kind}{PARTS[part]}"


def densenet(layer: str) -> str | None:
    """torchvision's and timm's; in published files norms and convolutions are called norm.1 as well as norm1.

    >>> densenet("features.denseblock2.denselayer12.norm.2"), densenet("features.transition3.conv")
    ('conv3_block12_1_bn', 'pool4_conv')
    """
    ends = {"features.conv0": "conv1_conv", "features.norm0": "conv1_bn", "features.norm5": "bn"}
    ends |= {"classifier": "logits"}
    if layer in ends:
        return ends[layer]
    if between := re.fullmatch(r"features\.transition(\d)\.(norm|conv)", layer):
        return f"pool{int(between[1]) + 1}_{'bn' if between[2] == 'norm' else 'conv'}"
    stage, number, part = groups(r"features\.denseblock(\d)\.denselayer(\d+)\.((?:norm|conv)\.?[12])", layer)
    names = {"norm1": "0_bn", "conv1": "1_conv", "norm2": "1_bn", "conv2": "2_conv"}
    return f"conv{int(stage) + 1}_block{number}_{names[part.replace('.', '')]}"


GOOGLENET_STEM = {"conv1": "conv1", "conv2": "conv2_reduce", "conv3": "conv2"}  # torchvision's `googlenet`
GOOGLENET_TOWERS = {
    "branch1": "1x1",
    "branch2.0": "3x3_reduce",
    "branch2.1": "3x3",
    "branch3.0": "5x5_reduce",
    "branch3.1": "5x5",
    "branch4.1": "pool_proj",
}


def googlenet(layer: str) -> str | None:
    """torchvision's, with batch normalisation. Its auxiliary heads pool otherwise than the paper's: they are not used.

    >>> googlenet("inception4a.branch2.1.bn"), googlenet("conv2.conv"), googlenet("aux1.fc1")
    ('inception_4a_3x3_bn', 'conv2_reduce', None)
    """
    if layer == "fc":
        return "logits"
    if layer.startswith(("aux1.", "aux2.")):
        return None
    unit, _, kind = layer.rpartition(".")
    ending = {"conv": "", "bn": "_bn"}[kind]
    if unit in GOOGLENET_STEM:
        return GOOGLENET_STEM[unit] + ending
    module, tower = groups(r"inception(\d[a-e])\.(.*)", unit)
    return f"inception_{module}_{GOOGLENET_TOWERS[tower]}{ending}"


INCEPTION_STEM = {"1a_3x3": "conv1", "2a_3x3": "conv2", "2b_3x3": "conv3", "3b_1x1": "conv4", "4a_3x3": "conv5"}
INCEPTION_MODULES = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")  # mixed0 to mixed10
INCEPTION_TOWERS = {"3x3dbl": "double3x3", "7x7dbl": "double7x7", "7x7x3": "7x7"}  # the others are called alike
INCEPTION_SPLITS = {"a": "split_1x3", "b": "split_3x1"}


def inception_v3(layer: str) -> str | None:
    """torchvision's. Its auxiliary head is not used.

    >>> inception_v3("Conv2d_3b_1x1.conv"), inception_v3("Mixed_6b.branch7x7dbl_5.bn"), inception_v3("AuxLogits.fc")
    ('conv4', 'mixed4_double7x7_5_bn', None)
    >>> inception_v3("Mixed_7c.branch3x3dbl_3a.conv"), inception_v3("Mixed_5b.branch_pool.conv"), inception_v3("fc")
    ('mixed10_double3x3_split_1x3', 'mixed0_pool_proj', 'predictions')
    """
    if layer == "fc":
        return "predictions"
    if layer.startswith("AuxLogits."):
        return None
    unit, kind = groups(r"(.*)\.(conv|bn)", layer)
    ending = {"conv": "", "bn": "_bn"}[kind]
    if unit.startswith("Conv2d_"):
        return INCEPTION_STEM[unit.removeprefix("Conv2d_")] + ending
    module, tower = groups(r"Mixed_(\d[a-e])\.branch_?(.*)", unit)
    name = f"mixed{INCEPTION_MODULES.index(module)}"
    if tower == "pool":
        return f"{name}_pool_proj{ending}"
    tower, number, split = groups(r"(\dx\d(?:dbl|x3)?)(?:_(\d)([ab]?))?", tower)
    step = INCEPTION_SPLITS[split] if split else number or "1"
    return f"{name}_{INCEPTION_TOWERS.get(tower, tower)}_{step}{ending}"


STEPS = {
    "expand": ("expand_conv", "expand_bn"),
    "depthwise": ("dwconv", "bn"),
    "project": ("project_conv", "project_bn"),
}
GATES = {"fc1": "se_reduce", "fc2": "se_expand"}


def efficientnet(layer: str, fused: int = 0) -> str | None:
    """torchvision's: of version 1, or of version 2, whose first three stages are `fused`.

    >>> efficientnet("features.2.1.block.2.fc1"), efficientnet("features.1.0.block.2.1"), efficientnet("features.8.0")
    ('block2b_se_reduce', 'block1a_project_bn', 'top_conv')
    >>> efficientnet("features.2.1.block.1.0", fused=3)
    'block2b_project_conv'
    """
    if layer == "classifier.1":
        return "logits"
    if end := re.fullmatch(r"features\.(\d)\.([01])", layer):
        return ("stem_" if end[1] == "0" else "top_") + ("conv", "bn")[int(end[2])]
    stage, number, step, part = groups(r"features\.(\d)\.(\d+)\.block\.(\d)\.(0|1|fc1|fc2)", layer)
    block = f"block{stage}{ascii_lowercase[int(number)]}"
    if int(stage) <= fused:
        steps = ["project"] if stage == "1" else ["expand", "project"]
    else:
        steps = (["depthwise"] if stage == "1" else ["expand", "depthwise"]) + ["gate", "project"]
    kind = dict(enumerate(steps))[int(step)]
    if (kind == "gate") != (part in GATES):
        raise KeyError(layer)
    found = GATES[part] if kind == "gate" else STEPS[kind][int(part)]
    return f"{block}_{found}2" if fused and found == "dwconv" else f"{block}_{found}"


def timm_efficientnet(layer: str) -> str | None:
    """timm's version 1.

    >>> timm_efficientnet("blocks.0.0.bn2"), timm_efficientnet("blocks.1.1.bn2"), timm_efficientnet("conv_head")
    ('block1a_project_bn', 'block2b_bn', 'top_conv')
    """
    ends = {"conv_stem": "stem_conv", "bn1": "stem_bn", "conv_head": "top_conv", "bn2": "top_bn"}
    ends |= {"classifier": "logits"}
    if layer in ends:
        return ends[layer]
    stage, number, part = groups(r"blocks\.(\d)\.(\d+)\.(.*)", layer)
    names = {"se.conv_reduce": "se_reduce", "se.conv_expand": "se_expand", "conv_dw": "dwconv"}
    if stage == "0":
        names |= {"bn1": "bn", "conv_pw": "project_conv", "bn2": "project_bn"}
    else:
        names |= {"conv_pw": "expand_conv", "bn1": "expand_bn", "bn2": "bn"}
        names |= {"conv_pwl": "project_conv", "bn3": "project_bn"}
    return f"block{int(stage) + 1}{ascii_lowercase[int(number)]}_{names[part]}"


CONVNEXT_BLOCK = {  # torchvision's, timm's and the authors'
    "block.0": "depthwise_conv", "block.2": "layernorm", "block.3": "pointwise_conv_1",
    "block.5": "pointwise_conv_2", "layer_scale": "layer_scale",
    "conv_dw": "depthwise_conv", "norm": "layernorm", "mlp.fc1": "pointwise_conv_1", "mlp.fc2": "pointwise_conv_2",
    "gamma": "layer_scale", "dwconv": "depthwise_conv", "pwconv1": "pointwise_conv_1", "pwconv2": "pointwise_conv_2",
}  # fmt: skip
CONVNEXT_ENDS = {
    "features.0.0": "stem_conv", "features.0.1": "stem_layernorm", "classifier.0": "head_layernorm",
    "classifier.2": "logits", "stem.0": "stem_conv", "stem.1": "stem_layernorm", "head.norm": "head_layernorm",
    "head.fc": "logits", "downsample_layers.0.0": "stem_conv", "downsample_layers.0.1": "stem_layernorm",
    "norm": "head_layernorm", "head": "logits",
}  # fmt: skip


def convnext(layer: str) -> str | None:
    """torchvision's, timm's and the authors'.

    >>> convnext("features.5.8.block.3"), convnext("stages.1.downsample.1"), convnext("stages.2.8.pwconv1")
    ('stage_2_block_8_pointwise_conv_1', 'downsampling_conv_0', 'stage_2_block_8_pointwise_conv_1')
    """
    if layer in CONVNEXT_ENDS:
        return CONVNEXT_ENDS[layer]
    between = r"(?:features\.([246])|stages\.(\d)\.downsample|downsample_layers\.(\d))\.([01])"
    if halving := re.fullmatch(between, layer):
        torchvision, timm, authors, part = halving.groups()
        number = int(torchvision) // 2 - 1 if torchvision else int(timm or authors) - 1
        return f"downsampling_{('layernorm', 'conv')[int(part)]}_{number}"
    if torchvision := re.fullmatch(r"features\.([1357])\.(\d+)\.(.*)", layer):
        return f"stage_{int(torchvision[1]) // 2}_block_{torchvision[2]}_{CONVNEXT_BLOCK[torchvision[3]]}"
    stage, block, part = groups(r"stages\.(\d)\.(?:blocks\.)?(\d+)\.(.*)", layer)
    return f"stage_{stage}_block_{block}_{CONVNEXT_BLOCK[part]}"


VIT_ENDS = {  # torchvision's; then timm's
    "conv_proj": "patches", "class_token": "class_token", "encoder.pos_embedding": "positions",
    "encoder.ln": "encoder_norm", "heads.head": "logits",
    "patch_embed.proj": "patches", "cls_token": "class_token", "pos_embed": "positions", "norm": "encoder_norm",
    "head": "logits",
}  # fmt: skip
VIT_BLOCK = {
    "ln_1": "attention_norm", "ln_2": "mlp_norm", "mlp.0": "mlp_in", "mlp.3": "mlp_out",
    "mlp.linear_1": "mlp_in", "mlp.linear_2": "mlp_out", "self_attention.in_proj_weight": "attention",
    "self_attention.in_proj_bias": "attention", "self_attention.out_proj": "attention",
    "norm1": "attention_norm", "norm2": "mlp_norm", "mlp.fc1": "mlp_in", "mlp.fc2": "mlp_out",
    "attn.qkv": "attention", "attn.proj": "attention",
}  # fmt: skip


def vit(layer: str) -> str | None:
    """torchvision's and timm's. Four arrays make the attention's weights (`zoo.weights.converters.attention`).

    >>> vit("encoder.layers.encoder_layer_0.mlp.3"), vit("blocks.11.attn.qkv"), vit("cls_token")
    ('encoder1_mlp_out', 'encoder12_attention', 'class_token')
    """
    if layer in VIT_ENDS:
        return VIT_ENDS[layer]
    number, part = groups(r"(?:encoder\.layers\.encoder_layer_|blocks\.)(\d+)\.(.*)", layer)
    return f"encoder{int(number) + 1}_{VIT_BLOCK[part]}"


def keras_applications(layer: str) -> str | None:
    """A layer of keras.applications, old or new, in the form of the names here; None for what scales pixels there.

    >>> keras_applications("expanded_conv_3/squeeze_excite/Conv_1"), keras_applications("Conv_1/BatchNorm")
    ('expanded_conv_3_squeeze_excite_conv_1', 'conv_1_bn')
    >>> keras_applications("convnext_tiny_stage_0_block_2_layernorm"), keras_applications("normalization_1")
    ('stage_0_block_2_layernorm', None)
    """
    name = re.sub(r"^convnext_[a-z]+_", "", layer.lower().replace("/", "_").replace("batchnorm", "bn"))
    return None if re.fullmatch(r"(prestem_|layer_)?normalization(_\d+)?", name) else name
