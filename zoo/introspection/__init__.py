"""Looking inside a network: its stages and blocks, what each layer costs, where it looks, and what deceives it."""

from zoo.introspection.graph import Stage, blocks, features, list_stages
from zoo.introspection.layer_costs import Cost, costs

__all__ = ["Cost", "Stage", "blocks", "costs", "features", "list_stages"]
