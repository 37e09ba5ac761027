"""Measurements of everything else; nothing imports them."""
