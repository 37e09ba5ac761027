"""Statistics and figures of a data set, as one page."""
