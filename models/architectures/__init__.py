"""One network a file. A trunk is a function: float32 images [B, 32, 32, 3], scaled -> features [B, F]."""
