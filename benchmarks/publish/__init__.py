"""Tables, charts and pages of the documents, from committed results."""
