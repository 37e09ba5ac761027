"""A trained classifier behind a page and a JSON endpoint. Only `application` and `server` need a server library."""
