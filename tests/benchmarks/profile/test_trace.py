"""The time of each operation is counted once, and moments of several operations are divided among them."""

import builtins

import pytest
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.profile import trace
from benchmarks.profile.trace import Event
from pipeline.common import errors

CONVOLUTION = "f/convolution_1/Conv2D:_MklNativeConv2D"


def total_of(times):
    return sum(times.parts.values())


def test_parts_add_up_to_the_operations_of_one_thread():
    events = [
        Event(1, 0, 100, None),  # the executor
        Event(1, 10, 60, "forward"),
        Event(1, 20, 30, "pooling"),  # within another operation
        Event(1, 60, 70, "forward"),
        Event(1, 70, 70, "heads"),
        Event(1, 80, 95, "heads"),
        Event(1, 85, 95, None),  # the executor, called by an operation
    ]
    times = trace.times(events)
    assert times.parts == {"forward": 50, "pooling": 10, "heads": 5}
    assert times.operations == total_of(times) == 65
    assert trace.times(events[::-1]) == times
    assert trace.times([]).operations == 0


def test_moments_of_several_operations_are_divided():
    times = trace.times([Event(1, 0, 100, "forward"), Event(2, 40, 140, "optimizer"), Event(3, 300, 301, "forward")])
    assert times.parts == {"forward": 40 + 30 + 1, "optimizer": 30 + 40}
    assert total_of(times) == 141
    assert times.operations == 201


def written(folder, threads, is_by_reference):
    """A trace of (name, begin, duration, statistics) by thread; texts of statistics as such, or by reference."""
    space = xplane_pb2.XSpace()
    plane = space.planes.add(name="/host:CPU")
    for number, (thread, events) in enumerate(threads.items()):
        line = plane.lines.add(id=number, name=thread, timestamp_ns=7)
        for name, begin, duration, statistics in events:
            key = len(plane.event_metadata) + 1
            plane.event_metadata[key].name = name
            event = line.events.add(metadata_id=key, offset_ps=begin, duration_ps=duration)
            for statistic, value in statistics.items():
                key = len(plane.stat_metadata) + 1
                plane.stat_metadata[key].name = statistic
                if is_by_reference:
                    plane.stat_metadata[key + 1].name = value
                    event.stats.add(metadata_id=key, ref_value=key + 1)
                else:
                    event.stats.add(metadata_id=key, str_value=value)
    path = folder / "vm.xplane.pb"
    path.write_bytes(space.SerializeToString())
    return path


@pytest.mark.parametrize("is_by_reference", [False, True])
def test_trace_is_read(tmp_path, is_by_reference):
    compiled = {"name": "augmentation/PartitionedCall", "kernel_type": "PartitionedCall"}
    path = written(
        tmp_path,
        {
            "tf_Compute/1": [
                ("ExecutorState::Process", 0, 100, {}),
                (CONVOLUTION, 10, 50, {}),
                ("ParallelFor", 20, 20, {}),
                ("ExecutorState::ProcessAsync::Start", 60, 30, compiled),
                ("CpuExecutable::ExecuteAsyncOnStream", 65, 10, {}),
                ("ExecutorState::ProcessAsync::Done", 80, 10, compiled),
            ],
            "tf_data_private_threadpool/2": [("GatherV2:GatherV2", 0, 40, {})],
            "python": [("EagerLocalExecute: ReadVariableOp", 0, 90, {}), ("Iterator::Root", 0, 9, {})],
        },
        is_by_reference,
    )
    events = list(trace._events(path))
    assert [(event.part, event.begin, event.end) for event in events] == [
        (None, 7_000, 7_100),
        ("forward", 7_010, 7_060),
        ("augmentation", 7_060, 7_090),
        (None, 7_080, 7_090),
    ]
    assert trace.times(events).parts == {"forward": 50, "augmentation": 20}


def test_operations_of_a_call_are_profiled():
    @tf.function
    def call(values):
        with tf.name_scope("optimizer"):
            return tf.matmul(values, values)

    values = tf.ones([128, 128])
    call(values)
    times = trace.profiled(lambda: call(values).numpy())
    assert set(times.parts) == {"optimizer"}
    assert 0 < total_of(times) <= times.operations + 1


def test_missing_reader_of_traces_is_named(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without_reader(name, *arguments, **options):
        if name == "tensorflow.tsl.profiler.protobuf":
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_reader)
    with pytest.raises(errors.FailedError, match="profiler"):
        list(trace._events(tmp_path / "vm.xplane.pb"))
