"""Pretrained weights: where they come from, and how they get into a network without surprises.

* `sources`: what ``weights=`` can say; `fetching`, `download`, `files`: the way into the cache;
* `loading`: `zoo.load_weights`, all or nothing, with a report;
* `fitting`: which array goes into which variable, and which explanations count for those left over;
* `layouts`, `hdf5`, `content`: what a file holds, from its header;
* `converters`: the names of layers in PyTorch's state dicts;
* `channels`: another number of input channels.
"""
