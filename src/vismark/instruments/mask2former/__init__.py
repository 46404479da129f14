"""Mask2Former as an object detector, with mmdet's pre- and post-processing, in transformers."""
