"""Baselines: models that need no network, whose metrics stand beside a network's own."""
