"""Converts a source of images into a prepared data set, in two passes and constant memory.

source ──first pass──▶ part files ──canonical order──▶ second pass ──▶ data_dir/NAME/1.0.0
(class folders, TFDS)  data_dir/.preparing/NAME        TFRecord shards, description, report
"""
