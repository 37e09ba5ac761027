"""Hyperband (Li et al. 2018) that can be replayed, and whose every bracket ends with trials of full length.

Keras Tuner's opens a bracket for a question that leads to no trial, gives promoted trials the number of the bracket
that was opened last, promotes nothing of a rung that the space cannot fill, and too little of one with failed trials.
"""

import itertools
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import HyperbandOracle

from tuning.sessions.oracles import keras_tuner_version  # noqa: F401  # checks the version

Bracket = dict[str, Any]  # Keras Tuner's: "bracket_num", and the trials of its "rounds" by their "id" and "past_id"


class Hyperband(HyperbandOracle):
    """Keras Tuner's Hyperband with other proposals; sizes and epochs of the rungs are its own."""

    trials: dict[str, Trial]
    _brackets: list[Bracket]

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose a trial; nothing changes where there is none, so that a journal of trials tells the state."""
        for bracket in self._brackets:
            values = self._first_rung_values(bracket, trial_id) or self._promoted_values(bracket, trial_id)
            if values is not None:
                return {"status": TrialStatus.RUNNING, "values": values}
        if not self._is_last_bracket():
            number = (self._current_bracket - 1) % self._get_num_brackets()
            opened: Bracket = {"bracket_num": number, "rounds": [[] for _ in range(self._get_num_rounds(number))]}
            values = self._first_rung_values(opened, trial_id)
            if values is not None:
                self._increment_bracket_num()
                self._brackets.append(opened)
                return {"status": TrialStatus.RUNNING, "values": values}
        return {"status": TrialStatus.IDLE if self.ongoing_trials else TrialStatus.STOPPED}

    def _is_last_bracket(self) -> bool:
        return self._current_bracket == 0 and self._current_iteration + 1 >= self.hyperband_iterations

    def _first_rung_values(self, bracket: Bracket, trial_id: str) -> dict[str, Any] | None:
        """New values while the first rung has room; None where the space has no more, for good."""
        number, rung = bracket["bracket_num"], bracket["rounds"][0]
        if len(rung) >= self._get_size(number, 0):
            return None
        values = self._random_values()
        if values is None:
            return None
        rung.append({"past_id": None, "id": trial_id})
        return {**values, **self._position(number, 0)}

    def _promoted_values(self, bracket: Bracket, trial_id: str) -> dict[str, Any] | None:
        """The values of a trial that is sure to be among the best of its rung, for the next rung."""
        number, rungs = bracket["bracket_num"], bracket["rounds"]
        num_past = len(rungs[0])  # trials of the rung below, those to come included; the first rung gets no more
        for rung_num, (past, rung) in enumerate(itertools.pairwise(rungs), start=1):
            num_wanted = self._get_size(number, rung_num) + self._num_failed(rung)  # another in place of a failed one
            promoted = {info["past_id"] for info in rung}
            left = [self.trials[info["id"]] for info in past if info["id"] not in promoted]
            completed = [trial for trial in left if trial.status == TrialStatus.COMPLETED]
            num_ended = len(completed) + self._num_failed(past)  # failed ones are the worst
            if completed and num_ended > num_past - num_wanted:
                best = max(completed, key=lambda trial: trial.score)
                rung.append({"past_id": best.trial_id, "id": trial_id})
                values = {**best.hyperparameters.values, "tuner/trial_id": best.trial_id}
                return {**values, **self._position(number, rung_num)}
            num_past = min(num_wanted, num_past - self._num_failed(past))
        return None

    def _num_failed(self, rung: list[dict[str, Any]]) -> int:
        return sum(self.trials[info["id"]].status == TrialStatus.FAILED for info in rung)

    def _position(self, bracket_num: int, rung_num: int) -> dict[str, Any]:
        return {
            "tuner/epochs": self._get_epochs(bracket_num, rung_num),
            "tuner/initial_epoch": self._get_epochs(bracket_num, rung_num - 1) if rung_num else 0,
            "tuner/bracket": bracket_num,
            "tuner/round": rung_num,
        }
