"""Check that shapes100 is quick to prepare, can be learned, and cannot be classified by color alone.

    python -m benchmarks.shapes100 --out=FILE.json

Prepares it in a temporary folder, trains the presets `linear` and `quick` on it, and evaluates both on test. The exit
code is 1 if a value is out of its bounds.
"""

from benchmarks.harness import cli_output
from benchmarks.shapes100 import bounds
from pipeline.common import app

flags = app.Flags()
cli_output.define_flags(flags)


def main() -> None:
    """Measure, publish, judge."""
    cli_output.check("shapes100")
    app.load_tensorflow()
    from models.runtime import device

    device.allow_gpu_memory_growth()
    rows = bounds.measure()
    cli_output.finish("shapes100", rows)
    bounds.judge(rows)


if __name__ == "__main__":
    app.run(main, flags)
