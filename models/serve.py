"""Serve a trained run on a page: drop or paste an image and see its class and superclass.

    python -m models.serve --run_dir=runs/quick
    curl --data-binary @cat.png http://127.0.0.1:8000/predict

Programs send an image to POST /predict, as the body or in a form, and get JSON; /schema describes it. The page listens
on this machine alone, 127.0.0.1, unless --host names another address. SIGINT (Ctrl-C) or SIGTERM ends it.
"""

import importlib.util
import sys

from models.runs import folder as run_folder
from models.serving import address
from pipeline.address import is_loopback
from pipeline.common import app, errors, progress

LIBRARIES = ("starlette", "uvicorn", "python_multipart")  # of the extra `serve`

flags = app.Flags()
RUN_DIR = flags.DEFINE_path("run_dir", "", "folder of the run that models.train wrote")
HOST = flags.DEFINE_string("host", "127.0.0.1", "address to listen on; other machines reach any address but loopback")
PORT = flags.DEFINE_integer(
    "port", 8000, "port to listen on; 0 is any free one", lower_bound=0, upper_bound=address.MAX_PORT
)


def main() -> None:
    """Load the run's model and answer requests until a signal."""
    run = run_folder.given(RUN_DIR.value).check_model()
    description = run.description()
    with address.listen(HOST.value, PORT.value) as listening:
        _check_libraries()
        app.load_tensorflow()
        with progress.task("loading Keras"):
            from models.prediction.predictor import Predictor
            from models.runtime import device
            from models.serving import application, server
            from models.serving.answers import Answerer

        device.allow_gpu_memory_growth()
        is_own = is_loopback(listening.getsockname()[0])
        warning = "" if is_own else f"host={HOST.value}: {address.OPEN}"
        answer = Answerer(Predictor(run, batch_size=1))
        answer.warm_up()
        if warning:
            print(f"warning: {warning}", file=sys.stderr)
        print(f"{run.path} is served on {address.url(listening)}; Ctrl-C ends it", flush=True)
        name = run.path.resolve().name
        served = application.build(answer, description, name, warning=warning, is_loopback=is_own)
        server.build(served).run(sockets=[listening])


def _check_libraries() -> None:
    for name in LIBRARIES:
        if importlib.util.find_spec(name) is None:
            raise errors.FailedError(
                f"models.serve needs {name}, which is not installed; run: python -m pip install -e '.[serve]'"
            )


def run() -> None:
    """The console script `cifar-serve`."""
    app.run(main, flags)


if __name__ == "__main__":
    run()
