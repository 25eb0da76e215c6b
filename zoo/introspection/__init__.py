"""Looking inside a network: its stages, its costs, and where it looks."""
