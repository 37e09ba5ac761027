"""The report of a session: its document, its page, its pictures."""
