"""Predictions of a trained classifier: probabilities, rows, pictures."""
