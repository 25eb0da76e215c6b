"""What needs no network: the figures that stand beside a network's own."""
