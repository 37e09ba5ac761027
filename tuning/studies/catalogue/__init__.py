"""The studies of `python -m tuning.study --study=NAME`, as data.

Each answers one question by training named variants of one recipe with the same seeds. `original_mean` is what the
original study measured. A new study is one entry of STUDIES in one of the modules.

Budgets: smoke shows in seconds that everything runs, and its accuracies mean nothing; short fits two cores; full is
what one would publish.
"""

from pipeline.common import errors
from pipeline.common.config import nearest
from tuning.studies.catalogue import hypotheses, presets
from tuning.studies.design import Study

STUDIES = {study.name: study for study in (*presets.STUDIES, *hypotheses.STUDIES)}


def find(name: str) -> Study:
    """The study of that name.

    Raises:
      errors.BadArgumentError: there is none.
    """
    if name not in STUDIES:
        given = f"study={name!r}" if name else "study is missing"
        raise errors.BadArgumentError(f"{given}: expected one of {', '.join(STUDIES)}{nearest(name, set(STUDIES))}")
    return STUDIES[name]
