"""What a trained classifier says of images: probabilities, rows, pictures."""
