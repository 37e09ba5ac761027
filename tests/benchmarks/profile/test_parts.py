"""Each operation belongs to one part, by its scopes and its type."""

import pytest

from benchmarks.profile.parts import MULTIPLYING, PARTS, part_of

CALL = "StatefulPartitionedCall/"
TAPE = f"{CALL}gradient_tape/speedrun_1/"


@pytest.mark.parametrize(
    ("name", "kind", "part"),
    [
        ("augmentation/stateless_random_uniform_1/stack", "Pack", "augmentation"),
        ("augmentation/PartitionedCall/PartitionedCall_1", "PartitionedCall", "augmentation"),  # compiled by XLA
        (f"{CALL}speedrun_1/convolution_1/Conv2D", "_MklNativeConv2D", "forward"),
        (f"{CALL}speedrun_1/convolution_8_1/MatMul_7", "MatMul", "forward"),
        (f"{CALL}speedrun_1/convolution_1/Pad", "Pad", "forward"),
        (f"{CALL}baseline_1/conv2d_1/Relu", "_MklNativeFusedConv2D", "forward"),
        (f"{CALL}speedrun_1/whitening_1/convolution", "Conv2D", "forward"),
        (f"{CALL}b0_1/block2a_dwconv_1/depthwise", "DepthwiseConv2dNative", "forward"),
        (f"{TAPE}convolution_1/Conv2DBackpropInput", "_MklNativeConv2DBackpropInput", "input_gradients"),
        (f"{TAPE}convolution_3_1/Slice_1", "Slice", "input_gradients"),
        (f"{CALL}gradients/conv2d_transpose_1", "Conv2DBackpropInput", "input_gradients"),
        (f"{CALL}gradients/images_gradient_1/MatMul_4", "MatMul", "input_gradients"),
        (f"{TAPE}convolution_1/Conv2DBackpropFilter", "Conv2DBackpropFilter", "kernel_gradients"),
        (f"{TAPE}convolution_5_1/Cast/Cast", "Cast", "kernel_gradients"),
        (f"{CALL}gradient_tape/baseline_1/conv2d_1/BiasAdd/BiasAddGrad", "BiasAddGrad", "kernel_gradients"),
        (f"{CALL}gradients/kernel_gradient/strided_slice_10", "StridedSlice", "kernel_gradients"),
        (f"{CALL}gradients/kernel_gradient_3/MatMul_12", "MatMul", "kernel_gradients"),
        (f"{CALL}speedrun_1/fused_batch_normalization_1_2/FusedBatchNormV3", "FusedBatchNormV3", "normalization"),
        (f"{TAPE}fused_batch_normalization_1/FusedBatchNormGradV3", "_MklNativeFusedBatchNormGradV3", "normalization"),
        (f"{CALL}b0_1/block2a_project_bn_1/mul_1", "Mul", "normalization"),
        (f"{CALL}speedrun_1/activation_1/mul_1", "_MklSwish", "activations"),
        (f"{CALL}gradients/PartitionedCall_2", "PartitionedCall", "activations"),  # compiled by XLA
        (f"{CALL}gradients/Sigmoid_1", "Sigmoid", "activations"),
        (f"{CALL}gradients/ArithmeticOptimizer/AddOpsRewrite_add_1", "AddV2", "activations"),
        (f"{CALL}gradient_tape/baseline_1/conv2d_1/ReluGrad", "ReluGrad", "activations"),
        (f"{TAPE}max_pooling2d_1/MaxPool2d/MaxPoolGrad", "MaxPoolGrad", "pooling"),
        (f"{TAPE}global_max_pooling2d_1/truediv", "RealDiv", "pooling"),
        (f"{CALL}heads_1/Softmax", "_MklSoftmax", "heads"),
        (f"{CALL}gradient_tape/heads/softmax_cross_entropy_with_logits/mul", "Mul", "heads"),
        (f"{CALL}speedrun_1/coarse_logits_1/BiasAdd", "_MklNativeFusedMatMul", "heads"),
        (f"{TAPE}fine_logits_1/MatMul/MatMul_1", "_MklMatMul", "heads"),
        (f"{TAPE}coarse_scaled_1/mul/Mul", "Mul", "heads"),
        (f"{CALL}optimizer/muon/ArithmeticOptimizer/FoldTransposeIntoMatMul_MatMul_79", "MatMul", "optimizer"),
        (f"{CALL}optimizer_1/fused_sgd/ResourceApplyKerasMomentum", "ResourceApplyKerasMomentum", "optimizer"),
        (f"{CALL}gradients/AddN_1", "AddN", "other"),
        (f"{CALL}speedrun_1/pixel_scaling_1/sub", "Sub", "other"),
        (f"{CALL}ArithmeticOptimizer/ReorderCastLikeAndValuePreserving_int64_Cast", "Cast", "other"),
    ],
)
def test_part_follows_from_name_and_type(name, kind, part):
    assert part_of(name, kind) == part


def test_parts_are_named_once():
    assert len(set(PARTS)) == len(PARTS) == 10
    assert set(MULTIPLYING) < set(PARTS)
