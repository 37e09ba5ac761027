"""Statistics and pictures of a data set, as one page."""
