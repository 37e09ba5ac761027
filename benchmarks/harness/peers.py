"""Peers that are left out where they are not installed; light, since the processes of a peer import it."""

INSTALL = "python -m pip install -e '.[peers]'"
IMPORT_ERRORS = (ImportError, OSError, RuntimeError)  # the latter two: of a torch that does not fit the machine


def print_left_out(peer: str, reason: str) -> None:
    """Print in one line that the rows of a peer are left out."""
    print(f"{peer} is left out: {' '.join(reason.split())}", flush=True)
