"""Pretrained weights: where they come from, and how they get into a network without surprises.

* `sources`: what ``weights=`` can say; `fetching`, `download`, `files`: the way into the cache;
* `layouts`, `hdf5`, `content`: what a file holds, from its header; `screening`: what the HDF5 library does not survive;
* `loading`: `zoo.load_weights`, all or nothing, with a report;
* `fitting`: which array goes into which variable, and which explanations count for those left over;
  `naming`, `converters`, `anatomy`: the same names on both sides, and what a network consists of;
* `channels`: another number of input channels.
"""
