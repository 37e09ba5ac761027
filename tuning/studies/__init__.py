"""Studies: experiments over variants and seeds, with their reports."""
