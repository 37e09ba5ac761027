"""What `benchmarks.prepare` measures: generated class folders, and the binaries that read them."""

import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

import numpy as np
import PIL.Image

from benchmarks.harness import data as harness_data
from benchmarks.harness import memory, subprocess_call
from models.runs.folder import RunFolder
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from pipeline.datasets import prepared
from pipeline.datasets.conversion import parts

NOISE_SIZE = 8  # pixels each way of the noise that is enlarged, as smooth as a photograph
JPEG_QUALITY = 90
SAMPLE_SECONDS = 0.1
CONTINUING = re.compile(r"continuing: ([\d,]+) of ")  # the line that prepare prints when it goes on


def generate(root: pathlib.Path, num_images: int, num_classes: int, image_size: int) -> Iterator[pathlib.Path]:
    """Write different images as JPEG files, spread over the folders of classes; yields each file."""
    generator = np.random.default_rng(0)
    for number in range(num_images):
        folder = root / f"class_{number % num_classes:05d}"
        folder.mkdir(parents=True, exist_ok=True)
        noise = generator.integers(0, 256, (NOISE_SIZE, NOISE_SIZE, 3), np.uint8)
        path = folder / f"{number:07d}.jpg"
        PIL.Image.fromarray(noise).resize((image_size, image_size)).save(path, quality=JPEG_QUALITY)
        yield path


def prepare(source: SourceConfig) -> dict[str, float]:
    """Prepare a data set with the binary.

    Returns {"seconds": of the process, "peak_mib": of the resident memory of it and its processes, "kept": images that
    an earlier call had read}. Pages that processes share are counted for each.
    """
    with subprocess_call.started(_command(source), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        begin = time.perf_counter()
        with memory.sampling(lambda: memory.resident_mib(process.pid, with_children=True), SAMPLE_SECONDS) as samples:
            _, stderr = process.communicate()
        seconds = time.perf_counter() - begin
    if process.returncode:
        raise errors.FailedError(f"prepare: exit code {process.returncode}: {subprocess_call.last_line(stderr)}")
    kept = CONTINUING.search(stderr)
    images = int(kept[1].replace(",", "")) if kept else 0
    return {"seconds": seconds, "peak_mib": max(samples, default=0.0), "kept": images}


def kill_half_way(source: SourceConfig, num_images: int) -> None:
    """Begin to prepare a data set, and end the process with SIGKILL when half of its parts are finished."""
    num_parts = len(parts.cut({"train": num_images}, source.image_size, 0))
    folder = prepared.parts_folder(source.data_dir, source.prepared_name)
    with subprocess_call.started(_command(source), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while parts.num_finished(folder) < num_parts / 2:
            if process.poll() is not None:
                raise errors.FailedError(f"prepare: exit code {process.returncode} before it could be killed")
            time.sleep(SAMPLE_SECONDS)


def train_peak_mib(command: Sequence[str], max_steps: int) -> float:
    """Peak resident memory in MiB of a training by a command, its validation included."""
    with tempfile.TemporaryDirectory() as folder:
        run_dir = pathlib.Path(folder, "run")
        subprocess_call.run("train", [*command, f"--max_steps={max_steps}", f"--run_dir={run_dir}"])
        return RunFolder(run_dir).report()["peak_rss_mib"]


def _command(source: SourceConfig) -> list[str]:
    return [sys.executable, "-m", "pipeline.prepare", *harness_data.flags_of(source)]
