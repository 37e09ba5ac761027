"""Messages of a preparation, on stderr."""

import sys


def log(message: str) -> None:
    """Print a message."""
    print(f"prepare: {message}", file=sys.stderr, flush=True)
