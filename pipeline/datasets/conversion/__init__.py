"""Converts images from anywhere into a data set of ours, in two passes and flat memory.

source ──first pass──▶ part files ──canonical order──▶ second pass ──▶ data_dir/NAME/1.0.0
(class folders, TFDS)  data_dir/.preparing/NAME        TFRecord shards, description, report
"""
