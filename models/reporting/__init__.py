"""A run's report: `report.json`, a table on the terminal, and a page with plots."""
