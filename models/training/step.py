"""One training step on the device: augment, forward, backward, update; one traced graph for each resolution."""

import math
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers import LossScaleOptimizer, Optimizer

from models import metrics
from models.config.training import TrainConfig
from models.optimizers import schedules, weight_averaging
from models.runtime import cudnn, device
from models.runtime.replicas import Replicas
from pipeline.augment import originals, sets
from pipeline.augment.composition import compiled, draw_all, mix_labels, mixes_labels
from pipeline.augment.layer import Views, of_replica
from pipeline.common import progress
from pipeline.data_config import DataConfig
from pipeline.datasets.description import Description
from pipeline.resolution import ResolutionSchedule

Batch = dict[str, tf.Tensor]
States = list[tuple[keras.Variable, tf.Tensor]]  # variables, each with its value before a pass


class TrainStep:
    """Callable `step(batch, number)`; adds the batch's sums (`models.metrics`) to `metric_totals`.

    Everything random in it follows from the run's seed and the step's number. XLA compiles the augmentation, unless
    `jit_compile` is off or a transform does not allow it, and the update where `jit_compile` is on, or is auto and the
    device is a GPU with a cuDNN that XLA can use (on CPUs XLA's convolutions are slower; what is worth compiling there,
    `models.layers.activation` compiles itself). A run with several resolutions traces one graph for each. Scopes name
    the parts of a step for profilers: "augmentation", "heads", "gradients" and "optimizer". `whole` is
    `OpenedData.whole`.

    Model and optimizer are made in the scope of `replicas`, which divide each batch among them.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: Optimizer,
        data: DataConfig,
        description: Description,
        config: TrainConfig,
        total_steps: int,
        class_weights: Mapping[str, np.ndarray] | None = None,
        whole: Callable[[Batch, range | None], Batch] = lambda batch, rows: batch,
        replicas: Replicas | None = None,
    ) -> None:
        self._replicas = replicas or Replicas()
        self._classes, self._class_weights, self._whole = description.classes, class_weights, whole
        self.metric_totals = tf.Variable(tf.zeros(len(metrics.TOTALS), tf.float64), trainable=False)
        self._input_size = data.input_size(description.image_size)
        self.transforms = sets.build(data.augmentation, description.image_size, self._input_size)
        self._model, self._optimizer, self._data, self._config = model, optimizer, data, config
        self._total_steps = total_steps
        self._resolutions = ResolutionSchedule.from_shares(data.resolutions, self._input_size)
        with self._replicas.scope():
            self.slow_weights = weight_averaging.build(model, config, total_steps)
        self._augment = compiled(self.transforms, allow_xla=config.jit_compile != "off")
        # Statistics of each replica's part of the batch, of which evaluation and checkpoints have the mean.
        is_unequal = self._replicas.count > 1 and not config.get("sync_batch_norm", False)
        names = ("moving_mean", "moving_variance") if is_unequal else ()
        self._unequal = [state for state in model.non_trainable_variables if state.name in names]
        self._make_graphs()

    def set_learning_rate(self, peak: float) -> None:
        """Train with another peak learning rate from the next call on, which traces its graphs anew."""
        self._config = self._config.replace(learning_rate=peak)
        self._make_graphs()

    def _make_graphs(self) -> None:
        # Replicas wait for each other in the update, which therefore can be no function of its own. AutoGraph, which
        # nothing here needs, would take longer to rewrite the Python than the first trace itself takes.
        uses_xla = _uses_xla(self._config) or None
        update = tf.function(self._updated, jit_compile=uses_xla, autograph=False)
        self._update = self._updated if self._replicas.has_strategy else update
        self._steps = tf.function(self._all_steps, autograph=False)
        self._has_run = False

    def __call__(self, batch: Batch, number: int) -> None:
        """Train on a batch of `OpenedData.train` as step `number` of the run."""
        self.run_steps([batch], number)

    def run_steps(self, batches: Sequence[Batch], number: int, wishes: Sequence[bool] = ()) -> tf.Tensor:
        """Train on batches as steps `number` and following, all of one resolution, in one call of the graph.

        Returns, for each of `wishes`, how many workers have it; all workers get the same answer.
        """
        size = self._size_at(number)
        # Of the first graph only: later Keras's bar has its line open.
        with progress.task(f"compiling the training step for {size} x {size} pixels", is_shown=not self._has_run):
            votes = self._steps(list(batches), tf.constant(number, tf.int64), size, tf.constant(wishes, tf.float32))
        self._has_run = True
        return votes

    def graph(self, batch: Batch) -> tf.Graph:
        """The graph of a step on batches of this form, as traced, at the resolution of the run's first step."""
        number = tf.constant(0, tf.int64)
        no_wishes = tf.zeros([0])
        return self._steps.get_concrete_function([batch], number, self._size_at(0), no_wishes).graph

    def steps_until_resize(self, number: int, at_most: int) -> int:
        """The number of steps from `number` on, at most `at_most`, that have its resolution."""
        later = range(number + 1, number + at_most)
        return next((step for step in later if self._size_at(step) != self._size_at(number)), number + at_most) - number

    def _size_at(self, number: int) -> int:
        return self._resolutions.size_at(number, self._total_steps)

    def _all_steps(self, batches: list[Batch], number: tf.Tensor, size: int, wishes: tf.Tensor) -> tf.Tensor:
        for offset, batch in enumerate(batches):
            rate = schedules.learning_rate(self._config, number + offset, self._total_steps)
            if rate is not None:
                self._optimizer.learning_rate.assign(rate)
            totals, *_ = self._replicas.run(self._augmented_and_updated, batch, number + offset, size)
            self.metric_totals.assign_add(totals)
        if self._replicas.num_workers == 1:
            return wishes
        return self._replicas.run(lambda: self._replicas.sum([tf.identity(wishes)])[0])[0]

    def _augmented_and_updated(self, batch: Batch, number: tf.Tensor, size: int) -> tf.Tensor:
        """One step in a replica; the totals of all replicas."""
        with tf.name_scope("augmentation"):
            images, labels = self._augmented(self._whole(batch, self._rows(batch)), number, size)
        totals = self._update(images, labels)
        if self.slow_weights is not None:
            with tf.name_scope("optimizer"):
                self.slow_weights.update(number)
        return totals

    def _augmented(self, batch: Batch, number: tf.Tensor, size: int) -> tuple[tf.Tensor, Batch]:
        # Drawn outside of what XLA may compile, so that a draw is the same with and without it.
        seed, share = self._config.seed, self._data.unaugmented_share
        views = Views(batch["index"], batch["pass_number"])
        num_images = batch["index"].shape[0] // self._replicas.count
        original = self._originals(views, number)
        drawn = draw_all(self.transforms, seed, number, originals.among_augmented(views, share, seed))
        images, labels = batch["image"], {name: batch[name] for name in self._classes.counts}
        if not self.needs_whole_batch:
            drawn, original = of_replica((drawn, original), num_images)
            if self._replicas.num_local > 1:
                first = self._replicas.worker * self._replicas.num_local * num_images
                with tf.device("CPU:0"):  # where the batch is: only the replica's part is to move
                    images, labels = of_replica((images, labels), num_images, first)
        images = self._augment(images, drawn, original, size)
        if self.needs_whole_batch:
            side = self._input_size
            for name, num_classes in self._classes.counts.items():
                one_hot = tf.one_hot(batch[name], num_classes)
                labels[name] = mix_labels(one_hot, self.transforms, drawn, side, side, original)
            images, labels = of_replica((images, labels), num_images)
        return images, labels

    def _rows(self, batch: Batch) -> range | None:
        """The rows of a batch that this worker gathers; None for all."""
        all_rows = self.needs_whole_batch or self._replicas.num_workers == 1
        return None if all_rows else self._replicas.rows(batch["index"].shape[0])

    @property
    def needs_whole_batch(self) -> bool:
        """Whether each worker augments the whole batch: images are blended with those of other replicas."""
        return mixes_labels(self.transforms)

    def _originals(self, views: Views, number: tf.Tensor) -> tf.Tensor | None:
        """Bool [B]: which views step `number` shows as they are; None where no step of the run shows any so.

        A last stretch without augmentation closes the gap to what the model is evaluated on (He et al. 2019, "Data
        Augmentation Revisited", arXiv 1909.09148).
        """
        share, ending = self._data.unaugmented_share, self._data.get("unaugmented_last_fraction", 0.0)
        if not share and not ending:
            return None
        in_ending = number >= self._total_steps - round(ending * self._total_steps)
        return originals.are_original(views, share, self._config.seed) | in_ending

    def _updated(self, images: tf.Tensor, labels: Batch) -> tf.Tensor:
        replicas, scales_loss = self._replicas, isinstance(self._optimizer, LossScaleOptimizer)
        states = [state for state in self._model.non_trainable_variables if scales_loss or "int" in state.dtype]
        before = [(state, tf.identity(state.value)) for state in states]
        logits, gradients = self._gradients(images, labels)
        if self._config.sam_radius:
            gradients = self._gradients_uphill(images, labels, replicas.sum(gradients), before)
        for state, value in zip(self._unequal, replicas.mean([state.value for state in self._unequal]), strict=True):
            state.assign(value)
        with tf.name_scope("heads"):
            totals = metrics.metric_totals(self._config, self._classes, logits, labels)
        if scales_loss:
            # Keras skips only the update of the weights where a gradient overflows: the infinity of the forward pass
            # would stay in batch normalisation's statistics, and the step would count in the epoch's metrics.
            is_finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])
            if replicas.count > 1:  # Keras decides by the first replica's gradients
                (num_overflows,) = replicas.sum([tf.cast(~is_finite, tf.float32)])
                is_finite = num_overflows == 0.0
                gradients = [tf.where(is_finite, gradient, math.nan) for gradient in gradients]
            for state, value in before:
                state.assign(tf.where(is_finite, state.value, value))
            totals = tf.where(is_finite, totals, tf.zeros_like(totals))
        with tf.name_scope("optimizer"):
            self._optimizer.apply(gradients, self._model.trainable_variables)  # which sums over the replicas
        (totals,) = replicas.sum([totals])
        return totals

    def _gradients(self, images: tf.Tensor, labels: Batch) -> tuple[Batch, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            logits = self._model(images, training=True)
            with tf.name_scope("heads"):
                loss = tf.reduce_mean(metrics.objective(self._config, logits, labels, self._class_weights))
                loss += sum(self._model.losses)  # of layers with a regulariser
                if self._replicas.count > 1:
                    loss /= self._replicas.count  # gradients are summed over the replicas
                scaled_loss = self._optimizer.scale_loss(loss)
        with tf.name_scope("gradients"):
            trained = [variable.value for variable in self._model.trainable_variables]
            return logits, tape.gradient(scaled_loss, trained)

    def _gradients_uphill(
        self, images: tf.Tensor, labels: Batch, gradients: list[tf.Tensor], states: States
    ) -> list[tf.Tensor]:
        """The gradients at the nearby weights of the highest loss (SAM, Foret et al. 2020, arXiv 2010.01412).

        Restores weights and moving statistics to the last bit. Integers among the states before the first pass are
        seeds of dropout, so that both passes drop the same units.
        """
        variables = self._model.trainable_variables
        before = [(variable, tf.identity(variable.value)) for variable in self._model.variables]
        length = tf.math.divide_no_nan(self._config.sam_radius, tf.linalg.global_norm(gradients))
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_add(length * gradient)
        for state, value in states:
            if "int" in state.dtype:
                state.assign(value)
        _, uphill = self._gradients(images, labels)
        for variable, value in before:
            variable.assign(value)
        return uphill


def _uses_xla(config: TrainConfig) -> bool:
    return config.jit_compile == "on" or (config.jit_compile == "auto" and device.has_gpu() and not cudnn.is_old())
