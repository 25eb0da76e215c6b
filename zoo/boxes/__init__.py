"""Boxes around things: how they overlap, which of them are doubles, and the anchors that they are told from.

A box is four numbers in the last axis, left, top, right and bottom as fractions of the image's sides ("rel_xyxy"),
unless said otherwise. Other ways to write it, and offsets from an anchor, are Keras's: ``keras.utils.bounding_boxes``
has `convert_format`, `encode_box_to_deltas` and `decode_deltas_to_boxes`, which are right
(`tests/boxes/test_boxes.py`). Its `compute_iou` is not, and stands here anew: it adds 1e-7 to every union, which makes
0.91 of 1 for boxes of a thousandth of the image's side, and takes a box that is inside out for one with an area.
"""
