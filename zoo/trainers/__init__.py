"""Other ways to train the same weights than the network's own `fit`."""
