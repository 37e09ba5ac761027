"""Is shapes100 what it has to be: quick to make, more than colours, and learnable?

    python -m benchmarks.shapes100 --out=FILE.json

Generates and prepares it anew in a temporary folder, trains the presets `linear` and `quick` on it, evaluates both on
test, and ends with exit code 1 where a figure is out of its bounds.
"""

from benchmarks import output, shapes100_bounds
from pipeline import binary

output.define_flags()


def main() -> None:
    """Measure, publish, judge."""
    output.check("shapes100")
    binary.load_tensorflow()
    from models import device

    device.claim_gpus_politely()
    rows = shapes100_bounds.measure()
    output.finish("shapes100", rows)
    shapes100_bounds.judge(rows)


def run() -> None:
    """Start the binary."""
    binary.run(main)


if __name__ == "__main__":
    run()
