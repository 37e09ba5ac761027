"""Processes that train, and the folders they work in."""
