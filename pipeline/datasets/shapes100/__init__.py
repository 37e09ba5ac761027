"""shapes100, the embedded data set: drawn, not downloaded."""
