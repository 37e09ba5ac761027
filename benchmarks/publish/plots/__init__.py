"""Charts of the documents."""
