"""Data sets: reading their official files, checking them, and preparing them for TFDS."""
