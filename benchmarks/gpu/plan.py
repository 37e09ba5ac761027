"""What `benchmarks.gpu` measures, and the settings of its training steps. Needs no TensorFlow."""

import dataclasses

from benchmarks.harness.labels import Labels

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
STEPS_PER_CALL = 8
ONE_BATCH = "one_batch"


@dataclasses.dataclass(frozen=True)
class Setting:
    """How a training step runs.

    Attributes:
      precision: its dtype policy.
      jit_compile: whether XLA compiles the network, "on" or "off".
      steps_per_call: steps in a call of the graph.
      feed: "memory" or "device", as --cache, or ONE_BATCH, which is on the device and is repeated.
    """

    precision: str
    jit_compile: str
    steps_per_call: int = 1
    feed: str = "memory"

    @property
    def base(self) -> "Setting | None":
        """The setting that this one is compared with, which differs in one field; None of the plainest one."""
        if self.feed != "memory":
            return dataclasses.replace(self, feed="memory")
        if self.steps_per_call > 1:
            return dataclasses.replace(self, steps_per_call=1)
        if self.jit_compile == "on":
            return dataclasses.replace(self, jit_compile="off")
        return dataclasses.replace(self, precision="float32") if self.precision != "float32" else None

    def labels(self, recipe: str, batch_size: int) -> Labels:
        """Labels of the row of a recipe's steps under this setting."""
        name = f"ours/step/{recipe}/{self.precision}/jit_{self.jit_compile}/{self.steps_per_call}_a_call/{self.feed}"
        return Labels(
            name,
            "step",
            recipe=recipe,
            precision=self.precision,
            jit_compile=self.jit_compile,
            steps_per_call=self.steps_per_call,
            cache=None if self.feed == ONE_BATCH else self.feed,
            batch_size=batch_size,
        )


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured, and how much.

    Attributes:
      preset: the recipe that is trained, and whose steps are measured.
      caches: of the trainings.
      max_steps: of a training; 0 is all of the recipe's.
      precisions: of the steps.
      chosen: the one of them for trainings and for comparing feeds.
      augmentations: sets.
      repeats: rounds.
      round_s: seconds of a case in a round.
    """

    preset: str
    caches: tuple[str, ...]
    max_steps: int
    precisions: tuple[str, ...]
    chosen: str
    augmentations: tuple[str, ...]
    repeats: int
    round_s: float

    def settings(self) -> list[Setting]:
        """Each precision with and without XLA; at the chosen one, several steps a call, and other feeds."""
        settings = [Setting(precision, jit_compile) for precision in self.precisions for jit_compile in ("off", "on")]
        settings += [Setting(self.chosen, jit_compile, STEPS_PER_CALL) for jit_compile in ("off", "on")]
        return settings + [Setting(self.chosen, "on", feed=feed) for feed in ("device", ONE_BATCH)]
