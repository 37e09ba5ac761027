"""Every study is whole: each variant of each budget is a valid configuration, and says something of its own."""

import dataclasses

import pytest

from models import classifier
from models.reporting import flops
from pipeline.common import errors
from pipeline.common.config import check_read
from pipeline.data_config import DATASETS, SourceConfig
from pipeline.epochs import EpochSchedule
from pipeline.resolution import ResolutionSchedule
from tests.descriptions import CIFAR100
from tuning.studies import catalogue
from tuning.studies.design import BUDGETS, Combination, Study, Variant, num_steps

CASES = [(study, budget) for study in catalogue.STUDIES.values() for budget in BUDGETS]
EQUAL_COST = [(study, variant) for study in catalogue.STUDIES.values() if study.petaflop for variant in study.variants]


@pytest.mark.parametrize(("study", "budget"), CASES, ids=lambda value: getattr(value, "name", value))
def test_every_variant_of_every_budget_is_a_configuration_of_its_own(study, budget):
    for dataset in sorted({*DATASETS} - {"cifar10"}):  # some variants have a coarse head alone
        jobs = study.jobs(study.variants, budget, [3], SourceConfig(dataset=dataset))
        assert len(jobs) == len(study.variants)
        assert all((job.data.dataset, job.train.seed) == (dataset, 3) for job in jobs)
        assert all(job.data.num_validation > 0 for job in jobs)  # what a study measures
        if budget != "smoke":
            configs = [job.identity for job in jobs]
            assert all(config not in configs[:place] for place, config in enumerate(configs))


@pytest.mark.parametrize("study", catalogue.STUDIES.values(), ids=lambda study: study.name)
def test_variants_change_nothing_that_their_network_passes_over(study):
    for variant in study.variants:
        job = study.job(variant, "short", 0, SourceConfig())
        check_read(variant.changes, job.data, job.train)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("study", catalogue.STUDIES.values(), ids=lambda study: study.name)
def test_every_budget_fits_the_smallest_data_set(study, budget):
    for job in study.jobs(study.variants, budget, [0], SourceConfig(dataset="shapes100_tiny")):
        assert num_steps(job) <= 6 or budget != "smoke"
        assert job.data.num_validation + job.data.batch_size <= 2_000


def test_seeds_are_paired_and_come_one_after_the_other():
    study = catalogue.find("normalisation")
    jobs = study.jobs(study.variants, "short", [7, 8], SourceConfig())
    assert [job.name for job in jobs] == ["unit-seed-7", "standardise-seed-7", "unit-seed-8", "standardise-seed-8"]


def test_layers_win_in_their_order():
    study = dataclasses.replace(
        catalogue.find("normalisation"),
        base={"preset": "tiny", "batch_size": 32},
        budgets={budget: {"epochs": 2.0} for budget in BUDGETS},
        variants=(Variant("unit", {"epochs": 9.0}), Variant("linear", {"preset": "linear"})),
    )
    first, second = study.jobs(study.variants, "short", [0], SourceConfig())
    assert (first.train.optimizer, first.data.batch_size, first.train.epochs) == ("muon", 32, 9.0)
    assert (second.train.architecture, second.data.batch_size, second.train.epochs) == ("linear", 32, 2.0)


def test_views_and_limits_make_the_number_of_steps():
    study = catalogue.find("augmented_images")
    short = {job.label: job for job in study.jobs(study.variants, "short", [0], SourceConfig())}
    assert (num_steps(short["40000"]), num_steps(short["600000"])) == (625, 9375)
    assert short["600000"].data.unaugmented_share == pytest.approx(1 / 15)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("normalization", "did you mean 'normalisation'?"),
        ("", "study is missing: expected one of fast_ablation, "),
    ],
)
def test_unknown_study_is_refused_with_the_nearest(name, message):
    with pytest.raises(errors.BadArgumentError, match=message.replace("?", r"\?")):
        catalogue.find(name)


def test_unknown_variant_is_refused_with_the_nearest():
    with pytest.raises(errors.BadArgumentError, match=r"did you mean 'no_dirac'\?"):
        catalogue.find("fast_ablation").variant("no_dirca")


def test_unknown_field_of_a_variant_is_refused():
    study = catalogue.find("normalisation")
    with pytest.raises(errors.BadArgumentError, match=r"variant x: unknown field 'epoch'; did you mean 'epochs'\?"):
        study.job(Variant("x", {"epoch": 1.0}), "short", 0, SourceConfig())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"reference": "nobody"}, "nobody"),
        ({"variants": (Variant("unit"), Variant("unit"))}, "unit"),
        ({"variants": (Variant("unit"), Variant("Two words"))}, "Two words"),
        ({"combinations": (Combination("pair", {"fine_accuracy": "nobody"}),)}, "nobody"),
        ({"metrics": ("accuracy",)}, "accuracy"),
        ({"repeats": {"short": 1}}, "repeats"),
        ({"factors": ("activation", "optimizer")}, "factors"),
        ({"petaflop": {"short": 0.1}}, "epoch_petaflop"),
    ],
)
def test_study_that_does_not_fit_together_is_refused(changes, named):
    whole = catalogue.find("normalisation")
    with pytest.raises(ValueError, match=named):
        Study(**{**{field.name: getattr(whole, field.name) for field in dataclasses.fields(whole)}, **changes})


def test_small_networks_are_trained_side_by_side_and_a_smoke_of_any():
    sides = {
        name: [catalogue.find(name).is_side_by_side(budget) for budget in BUDGETS] for name in ("padding", "transfer")
    }
    assert sides == {"padding": [True, True, True], "transfer": [True, False, False]}


def test_row_of_several_models_is_no_variant_and_names_them():
    with pytest.raises(errors.BadArgumentError, match=r"two_models'.*the models of fine_alone and coarse_alone"):
        catalogue.find("single_vs_joint").chosen(["two_models"])


def test_variants_are_chosen_by_name_and_once():
    study = catalogue.find("normalisation")
    assert [variant.name for variant in study.chosen(["standardise"])] == ["standardise"]
    assert study.chosen([]) == study.variants
    with pytest.raises(errors.BadArgumentError, match=r"^variants=unit,unit: expected each once, got 'unit' again$"):
        study.chosen(["unit", "unit"])


def test_other_resolutions_at_equal_cost_cost_the_same():
    study = catalogue.find("fast_ablation")
    costs = {}
    for name in ("all", "full_resolution", "full_resolution_equal_cost", "from_20_pixels_equal_cost"):
        job = study.job(study.variant(name), "full", 0, SourceConfig(dataset="cifar100"))
        train = dataclasses.replace(job.train, precision="float32")
        steps = EpochSchedule.from_config(job.data, 50_000 - job.data.num_validation, train.epochs).total_steps
        by_size = ResolutionSchedule.from_shares(job.data.resolutions, 32).steps_by_size(steps, steps)
        images = {size: count * job.data.batch_size for size, count in by_size.items()}
        costs[name] = flops.train_petaflop(classifier.build(train, CIFAR100), train, images)
    assert costs["full_resolution_equal_cost"] == pytest.approx(costs["all"], rel=0.01)
    assert costs["from_20_pixels_equal_cost"] == pytest.approx(costs["all"], rel=0.01)
    assert costs["full_resolution"] > 1.2 * costs["all"]


@pytest.mark.long
@pytest.mark.parametrize(("study", "variant"), EQUAL_COST, ids=lambda value: value.name)
def test_networks_that_are_compared_at_equal_cost_have_it(study, variant):
    jobs = {budget: study.job(variant, budget, 0, SourceConfig(dataset="cifar100")) for budget in study.petaflop}
    train = next(iter(jobs.values())).train.replace(precision="float32")
    model = classifier.build(train, CIFAR100)
    for budget, job in jobs.items():
        steps = EpochSchedule.from_config(job.data, 40_000, job.train.epochs).total_steps
        cost = flops.train_petaflop(model, train, {32: steps * job.data.batch_size})
        assert cost == pytest.approx(study.petaflop[budget], rel=0.01)


def test_epochs_of_equal_cost_follow_from_the_cost_of_an_epoch():
    study = catalogue.find("architectures")
    epochs = [study.job(study.variant("resnet18"), budget, 0, SourceConfig()).train.epochs for budget in BUDGETS[1:]]
    assert epochs == pytest.approx([0.75, 3.0], abs=0.01)


@pytest.mark.parametrize("study", catalogue.STUDIES.values(), ids=lambda study: study.name)
def test_budgets_that_are_to_tell_something_have_the_seeds_for_a_verdict(study):
    assert study.repeats["short"] >= 2
    assert study.repeats["full"] >= (1 if study.name == "architectures" else 2)  # a seed takes hours on two cores


def test_field_that_no_variant_reads_is_an_error_and_one_that_some_read_is_dropped_and_recorded():
    study = catalogue.find("architectures")
    study = dataclasses.replace(study, base={**study.base, "dropout": 0.1})
    alexnet = study.job(study.variant("alexnet"), "full", 0, SourceConfig())
    assert alexnet.unread == ("dropout",)
    assert "dropout" not in alexnet.config
    assert study.job(study.variant("wrn_16_4"), "full", 0, SourceConfig()).config["dropout"] == 0.1
    wrong = dataclasses.replace(study, base={**study.base, "muon_momentum": 0.9})
    with pytest.raises(
        errors.BadArgumentError, match=r"^muon_momentum=0\.9: no variant of study architectures reads it"
    ):
        wrong.jobs(wrong.variants[:1], "full", [0], SourceConfig())
