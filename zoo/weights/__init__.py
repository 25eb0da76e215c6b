"""Pretrained weights: where they come from, and how they get into a network without surprises.

* `tags`: what ``weights=`` can say; `fetching`, `download`, `checksums`: the way into the cache;
* `formats`, `hdf5`, `checkpoint`: what a file holds, from its header; `hdf5_sandbox`: a process of its own for files
  that bring the HDF5 library down; `keras_archive`: a whole network that Keras saved;
* `loading`: `zoo.load_weights`, all or nothing, with a report;
* `matching`: which array goes into which variable, and which explanations count for those left over;
  `name_mapping`, `converters`, `network_parts`: the same names on both sides, and what a network consists of;
* `input_channels`: another number of input channels;
* `model_folder`, `transformers_names`: models of the package `transformers`; `run_weights`: what a run has learned;
* `adain`: the two files of one network that was published in pieces.
"""
