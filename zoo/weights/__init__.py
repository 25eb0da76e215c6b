"""Pretrained weights: where they come from, and how they get into a network without surprises.

* `tags`: what ``weights=`` can say; `fetching`, `download`, `checksums`: the way into the cache;
* `formats`, `hdf5`, `checkpoint`: what a file holds, from its header; `hdf5_sandbox`: a process of its own for files
  that bring the HDF5 library down;
* `loading`: `zoo.load_weights`, all or nothing, with a report;
* `matching`: which array goes into which variable, and which explanations count for those left over;
  `name_mapping`, `converters`, `network_parts`: the same names on both sides, and what a network consists of;
* `input_channels`: another number of input channels;
* `adain`: the two files of one network that was published in pieces.
"""
