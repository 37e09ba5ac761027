"""A small session whose trials train nothing."""

import json
import pathlib

from pipeline.data_config import SourceConfig
from tests.tuning import stub_training
from tuning.sessions import search, session
from tuning.sessions.config import SessionConfig
from tuning.sessions.search_space import Space

SOURCE = SourceConfig(dataset="shapes100_tiny")
BASE = {"preset": "linear", "num_validation": 500}


def choose(hp):
    return {
        "learning_rate": hp.Float("learning_rate", 0.1, 0.5, step=0.1),
        "coarse_loss_weight": hp.Choice("coarse_loss_weight", [0.5, 1.0]),
    }


def searched(path, train=stub_training.train_as_well_as_the_rate, choose=choose, base=BASE, **values):
    config = SessionConfig(**{"space": "mine", "tuner": "random", "max_trials": 6, "max_epochs": 3, **values})
    with session.open_session(path, config, Space("mine", choose, base), SOURCE) as found:
        search.run(found, train)
        return found


def told(found):
    return [
        (record["id"], record["status"], record["hyperparameters"], record.get("objective"))
        for record in found.folder.records()
    ]


def calls(path: pathlib.Path) -> list[str]:
    return (path / "calls.txt").read_text().split()


def cut_off(journal: pathlib.Path, num_lines: int) -> None:
    """Leave a session as it was when its journal had so many lines: without the records of later trials."""
    lines = journal.read_text().splitlines(keepends=True)[:num_lines]
    journal.write_text("".join(lines))
    ended = {event["trial"] for event in map(json.loads, lines) if event["event"] == "end"}
    for record in (journal.parent / "trials").glob("*.json"):
        if record.stem not in ended:
            record.unlink()
