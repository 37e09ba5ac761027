"""Runs one binary again and again in a process that has TensorFlow loaded, which saves most of a short run's seconds.

    python -m tests.faults.tracing.batch OUT MODULE CALL...      # each CALL is a JSON list of flags

Writes a JSON object for each call to OUT, as it ends: its exit code, and the last line that it wrote to stderr.
"""

import contextlib
import gc
import importlib
import io
import json
import sys

from pipeline.common import app


def main() -> None:
    """Run the calls."""
    out, module_name, *calls = sys.argv[1:]
    module = importlib.import_module(module_name)
    if hasattr(module, "__path__"):  # a package, which is run by the module of this name
        module = importlib.import_module(f"{module_name}.__main__")
    with open(out, "a", encoding="utf-8") as results:
        for call in calls:
            sys.argv = [module_name, *json.loads(call)]
            with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()):
                code = _exit_code(module)
            lines = errors.getvalue().strip().splitlines() or ["no output"]
            results.write(json.dumps({"code": code, "line": lines[-1]}) + "\n")
            results.flush()
            if "keras" in sys.modules:
                sys.modules["keras"].utils.clear_session()
                gc.collect()


def _exit_code(module: object) -> int:
    try:
        app.run(module.main, module.flags)  # type: ignore[attr-defined]
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


if __name__ == "__main__":
    main()
