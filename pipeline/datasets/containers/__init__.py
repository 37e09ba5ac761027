"""Reads the files of a tar archive, a ZIP archive or a folder; nothing is written to the disk."""
