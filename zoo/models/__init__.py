"""One file per family. A file dropped in here is found by its cards; nothing else needs to change."""
