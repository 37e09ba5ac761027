"""Which settings are measured, and what each is compared with."""

from benchmarks.gpu.plan import ONE_BATCH, PRECISIONS, Plan, Setting

PLAN = Plan("fast", ("memory",), 0, PRECISIONS, "mixed_float16", (), repeats=1, round_s=0.0)


def test_everything_is_measured_that_was_never_run_on_a_gpu():
    settings = PLAN.settings()
    assert len(set(settings)) == len(settings)
    plain = {(one.precision, one.jit_compile) for one in settings if one.steps_per_call == 1 and one.feed == "memory"}
    assert plain == {(precision, xla) for precision in PRECISIONS for xla in ("off", "on")}
    assert {one.jit_compile for one in settings if one.steps_per_call > 1} == {"off", "on"}
    assert {one.feed for one in settings} == {"memory", "device", ONE_BATCH}
    assert {one.precision for one in settings if one.feed != "memory" or one.steps_per_call > 1} == {"mixed_float16"}


def test_every_setting_is_compared_with_one_that_is_measured_too():
    settings = PLAN.settings()
    bases = [one.base for one in settings]
    assert [base for base in bases if base and base not in settings] == []
    assert [one for one, base in zip(settings, bases, strict=True) if base is None] == [Setting("float32", "off")]


def test_compared_settings_differ_in_one_field():
    for one in PLAN.settings():
        if one.base:
            assert sum(vars(one)[name] != vars(one.base)[name] for name in vars(one)) == 1


def test_rows_have_different_names_and_the_settings_as_fields():
    labels = [one.labels("fast", 1024) for one in PLAN.settings()]
    assert len({one.name for one in labels}) == len(labels)
    many = Setting("float32", "on", 8, "device").labels("fast", 1024)
    assert many.name == "ours/step/fast/float32/jit_on/8_a_call/device"
    assert (many.precision, many.jit_compile, many.steps_per_call, many.cache) == ("float32", "on", 8, "device")
    assert Setting("float32", "on", 1, ONE_BATCH).labels("fast", 1024).cache is None
