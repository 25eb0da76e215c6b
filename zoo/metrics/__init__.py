"""How good: metrics of classes, tokens, embeddings and word vectors."""
