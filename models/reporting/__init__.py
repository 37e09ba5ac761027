"""What a run tells: `report.json`, a table on the terminal, and a page with plots."""
