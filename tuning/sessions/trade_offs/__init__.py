"""Several objectives of one session: their names and values, the Pareto front and its plot."""
