"""The multiply-adds and the memory traffic of the parts of a training step, from its graph as traced."""

import collections
import dataclasses
from collections.abc import Iterator

import tensorflow as tf

from benchmarks.profile.parts import part_of
from models.reporting import flops

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# They hand on what is in memory already.
_MOVE_NOTHING = (
    *("AssignVariableOp", "Const", "ExpandDims", "Identity", "IdentityN", "NoOp", "Placeholder", "PreventGradient"),
    *("Rank", "ReadVariableOp", "Reshape", "Shape", "ShapeN", "Size", "Squeeze", "StopGradient"),
)
_READ_WHAT_THEY_WRITE = ("GatherV2", "ResourceGather", "Slice", "StridedSlice")  # and not the rest of their inputs
_NOT_IN_TENSORS = (tf.resource, tf.string, tf.variant)


@dataclasses.dataclass
class Work:
    """What a part of a step does, where every operation reads its inputs and writes its outputs once."""

    multiply_adds: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)  # by dtype
    bytes_moved: int = 0

    @property
    def operations(self) -> int:
        """Two for each multiply-add."""
        return 2 * self.multiply_adds.total()

    @property
    def dtype(self) -> str:
        """Of most multiply-adds, such as "bfloat16"; there are some."""
        return self.multiply_adds.most_common(1)[0][0]


def by_part(graph: tf.Graph) -> dict[str, Work]:
    """The work of the parts of a step's graph, whose shapes are static."""
    works: dict[str, Work] = collections.defaultdict(Work)
    for scope, operation in _executed(graph):
        work = works[part_of(scope + operation.name, operation.type)]
        work.bytes_moved += _bytes_moved(operation)
        if multiply_adds := flops.batch_multiply_adds(operation):
            work.multiply_adds[operation.outputs[0].dtype.name] += multiply_adds
    return works


def _executed(graph: tf.Graph, scope: str = "") -> Iterator[tuple[str, tf.Operation]]:
    """The operations that are executed, each with the scope of the calls around it; what XLA compiles is one."""
    for operation in flops.with_needed([*graph.control_outputs, *(output.op for output in graph.outputs)]):
        if operation.type in _CALLS and not _is_compiled(operation):
            called = graph._get_function(operation.get_attr("f").name).graph
            yield from _executed(called, f"{scope}{operation.name}/")
        else:
            yield scope, operation


def _is_compiled(operation: tf.Operation) -> bool:
    return "_XlaMustCompile" in operation.node_def.attr and operation.get_attr("_XlaMustCompile")


def _bytes_moved(operation: tf.Operation) -> int:
    if operation.type in _MOVE_NOTHING:
        return 0
    inputs, outputs = ([_num_bytes(tensor) for tensor in tensors] for tensors in (operation.inputs, operation.outputs))
    if operation.type in _READ_WHAT_THEY_WRITE:
        return 2 * sum(outputs)
    # A variable that is updated is read and written, and has the shape of the largest tensor beside it.
    num_variables = sum(tensor.dtype == tf.resource for tensor in operation.inputs)
    return sum(inputs) + sum(outputs) + 2 * num_variables * max(inputs, default=0)


def _num_bytes(tensor: tf.Tensor) -> int:
    return 0 if tensor.dtype in _NOT_IN_TENSORS else tensor.dtype.size * (tensor.shape.num_elements() or 0)
