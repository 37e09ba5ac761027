"""The time of the parts of traced steps, from TensorFlow's profiler."""

import collections
import dataclasses
import pathlib
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from benchmarks.profile.parts import part_of
from pipeline.common import errors

_OPERATION = re.compile(r"([^\s:]+):(\w+)")  # the name of an event: scope/name:Type
_BEGIN_ASYNC = "ExecutorState::ProcessAsync::Start"  # of a call of what XLA compiled; its statistics name it
_EXECUTOR = ("ExecutorState::Process", "ExecutorState::ProcessAsync::Done")  # they may run further operations inside
_INPUT_THREADS = "tf_data"


@dataclasses.dataclass(frozen=True)
class Event:
    """What a thread did from `begin` to `end`, in picoseconds; events of a thread may be nested."""

    thread: int
    begin: int
    end: int
    part: str | None  # None: no operation, but what the executor did between operations


@dataclasses.dataclass(frozen=True)
class Times:
    """Picoseconds of operations."""

    parts: dict[str, float]  # by part. A moment in which several operations run is divided among them
    operations: int  # the sum over all operations: more than that of the parts where several run at a time


def profiled(run: Callable[[], object]) -> Times:
    """The times of a call that waits for the device."""
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder, options):
            run()
        return times([event for path in pathlib.Path(folder).rglob("*.xplane.pb") for event in _events(path)])


def times(events: Sequence[Event]) -> Times:
    """The times of operations, each one's without what is nested in it."""
    begins = [(event.begin, 1, -event.end, number) for number, event in enumerate(events) if event.begin < event.end]
    ends = [(event.end, 0, 0, number) for number, event in enumerate(events) if event.begin < event.end]
    nested: dict[int, list[int]] = collections.defaultdict(list)  # by thread, the innermost event last
    parts: dict[str, float] = collections.defaultdict(float)
    total = before = 0
    for now, begins_event, _, number in sorted([*begins, *ends]):
        running = [part for stack in nested.values() if stack and (part := events[stack[-1]].part)]
        for part in running:
            parts[part] += (now - before) / len(running)
        total, before = total + (now - before) * len(running), now
        stack = nested[events[number].thread]
        stack.append(number) if begins_event else stack.remove(number)
    return Times(dict(parts), total)


def _events(path: pathlib.Path) -> Iterator[Event]:
    try:
        from tensorflow.tsl.profiler.protobuf import xplane_pb2
    except ImportError as error:
        message = f"TensorFlow {tf.__version__} cannot read traces of its profiler: expected TensorFlow 2.21"
        raise errors.FailedError(f"{message} ({error})") from error
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    for plane in space.planes:
        threads = [line for line in plane.lines if not line.name.startswith(_INPUT_THREADS)]
        for line in threads:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                operation = _operation(name, plane, event)
                if operation or name in _EXECUTOR:
                    begin = 1000 * line.timestamp_ns + event.offset_ps
                    part = part_of(*operation) if operation else None
                    yield Event(line.id, begin, begin + event.duration_ps, part)


def _operation(name: str, plane: Any, event: Any) -> tuple[str, str] | None:
    """The name and the type of the operation that an event of this name is."""
    if match := _OPERATION.fullmatch(name):
        return match[1], match[2]
    if name != _BEGIN_ASYNC:
        return None
    # A text stands in the statistic, or among the names of the plane.
    statistics = {
        plane.stat_metadata[one.metadata_id].name: one.str_value or plane.stat_metadata[one.ref_value].name
        for one in event.stats
    }
    return statistics.get("name", ""), statistics.get("kernel_type", "")
