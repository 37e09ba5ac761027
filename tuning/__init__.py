"""Searches over what `models` trains. Imports `pipeline` and `models`."""
