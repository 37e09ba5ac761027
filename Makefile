# The two commands are `make train` and `make test`; each sets everything up by itself. `make help` lists the rest.

VENV := .venv
override VENV := $(patsubst ~/%,$(HOME)/%,$(or $(value VENV),.venv))
# Targets of make have no spaces, and `make clean` removes this folder.
$(if $(or $(word 2,$(VENV)),$(findstring :/,$(VENV)),$(findstring ',$(VENV))),\
    $(error VENV=$(VENV): expected a path of this machine without spaces and quotes))
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
INSTALLED_DOCS := $(VENV)/.installed-docs
DATA_DIR ?= data
ARCHIVE ?=
RUN_DIR ?=
PRESET ?=
TEST_PROCESSES ?= 3
# A process that has run all its tests takes half of those that another has yet to run.
PYTEST := $(PYTHON) -m pytest --numprocesses=$(TEST_PROCESSES) --dist=worksteal

# A misspelt variable would change nothing, in silence. Those from MAKE on are make's own.
VARIABLES := ARCHIVE CIFAR100_ARCHIVE DATA_DIR PRESET PYTHON PYTHON_FOR_VENV RUN_DIR TEST_PROCESSES VENV
$(foreach name,$(filter-out $(VARIABLES) MAKE% MFLAGS GNUMAKEFLAGS SHELL .SHELLFLAGS,$(.VARIABLES)),\
    $(if $(findstring command line,$(origin $(name))),\
        $(error $(name)=$($(name)): unknown variable; expected one of $(VARIABLES))))

# The text of a variable as one argument for the shell, whatever characters a path has; the binaries expand `~`.
quoted = '$(subst ','\'',$(value $(1)))'
DATA_FLAGS = --data_dir=$(call quoted,DATA_DIR) --archive=$(call quoted,ARCHIVE)

.DEFAULT_GOAL := help
.PHONY: help setup train check test test-slow faults lint format bench gallery tables docs clean

help: ## List these targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)
	@echo '  Variables: ARCHIVE (cifar-100-binary or cifar-100-python, .tar.gz or folder), DATA_DIR, PRESET, RUN_DIR,'
	@echo '  CIFAR100_ARCHIVE (of the tests on the real data), TEST_PROCESSES, PYTHON_FOR_VENV, PYTHON, VENV.'

setup: $(INSTALLED) ## Make .venv with the pinned packages; touches nothing else.

$(INSTALLED): requirements.txt setup.py .ci/find_python
	@echo 'Setting up .venv from the package index: some minutes, 2.8 GB.'
	@python="$$(.ci/find_python)" && "$$python" -m venv --clear $(VENV)
	$(PYTHON) -m pip install --disable-pip-version-check --requirement requirements.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@rm -rf streaming_cifar100.egg-info  # setuptools leaves it here; what counts lies in .venv
	@touch $@

train: $(INSTALLED) ## Prepare CIFAR-100 (or shapes100), train PRESET (tiny), evaluate on test.
	@preset=$(call quoted,PRESET); $(PYTHON) -m models.train --preset="$${preset:-tiny}" --dataset=auto $(DATA_FLAGS) \
	    --run_dir=$(call quoted,RUN_DIR) --evaluate_test

check: lint ## Check style, format and types, and run the fast tests: the loop while you work.
	$(PYTEST) -m 'not (long or real_data or slow)'

# In two parts, since TensorFlow gives no memory back: one process alone would need 3.6 GiB for tests/models.
test: $(INSTALLED) ## Run the tests but the slow ones; with CIFAR100_ARCHIVE set, those on the real data too.
	@$(PYTEST) -m 'not slow' tests/models; models=$$?; \
	    $(PYTEST) -m 'not slow' --ignore=tests/models && exit $$models

test-slow: $(INSTALLED) ## Run the slow tests, which continuous integration leaves out.
	$(PYTEST) -m slow || [ $$? -eq 5 ]  # 5: there is none

# A command of tests/faults and its flags, joined by colons.
DISTURBED := $(foreach binary,train prepare evaluate tune pareto worker chief study workers,kills:--binary=$(binary):--at=random) \
    $(foreach binary,train prepare evaluate report predict export,kills:--binary=$(binary):--at=operations) \
    $(foreach binary,train prepare,power_loss:--binary=$(binary)) \
    $(foreach binary,evaluate tune chief study,power_loss:--binary=$(binary):--moments=6) \
    disks two_at_once clock_back mutation

faults: $(INSTALLED) ## Disturb every command by kills, power failures, full disks and hostile input: hours.
	@failed=; for fault in $(DISTURBED); do \
	    out=benchmarks/results/faults/$$(echo "$$fault" | sed 's/:--moments=.*//; s/--[a-z]*=//g; s/:/-/g').json; \
	    $(PYTHON) -m tests.faults.$$(echo "$$fault" | tr : ' ') --out=$$out || failed="$$failed $$fault"; \
	done; \
	for name in damage fuzz bad_input soak; do \
	    $(PYTHON) -m tests.faults.$$name || failed="$$failed $$name"; \
	done; \
	[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

lint: $(INSTALLED) ## Check style, format and types.
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	@if [ -x $(VENV)/bin/hadolint ]; then $(VENV)/bin/hadolint deploy/Dockerfile; fi  # where its package has a wheel

format: $(INSTALLED) ## Mend style and format.
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: $(INSTALLED) ## Run the benchmarks quickly; results go to benchmarks/results/quick/.
	@set -e; for name in train_step augment input memory predict startup; do \
	    $(PYTHON) -m benchmarks.$$name --quick --dataset=auto $(DATA_FLAGS) \
	        --out=benchmarks/results/quick/$$name.json; \
	done
	@CUDA_VISIBLE_DEVICES=-1 $(PYTHON) -m benchmarks.profile --quick --dataset=auto $(DATA_FLAGS) \
	    --out=benchmarks/results/quick/profile.json
	@set -e; for name in prepare scaling tuner; do \
	    $(PYTHON) -m benchmarks.$$name --quick --out=benchmarks/results/quick/$$name.json; \
	done

gallery: $(INSTALLED) ## Draw every augmentation set into docs/gallery/.
	@set -e; for name in $$($(PYTHON) -c 'from pipeline.augment.sets import SETS; print(*SETS)'); do \
	    $(PYTHON) -m pipeline.gallery --augmentation=$$name --seed=2 $(DATA_FLAGS) \
	        --out=docs/gallery/$$name.png; \
	done

tables: $(INSTALLED) ## Draw the tables and figures of README.md and docs/ again from the committed results.
	$(PYTHON) -m benchmarks.publish.reports
	$(PYTHON) -m benchmarks.publish.tables
	$(PYTHON) -m benchmarks.publish.settings

$(INSTALLED_DOCS): requirements-docs.txt $(INSTALLED)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement requirements-docs.txt
	@touch $@

docs: $(INSTALLED_DOCS) ## Build the documentation site in site/; fails on a broken link or a page that is missing.
	@rm -rf site
	@$(PYTHON) -m sphinx --quiet --fail-on-warning --keep-going --fresh-env \
	    --doctree-dir=build/doctrees docs site
	@echo 'written: site/index.html'

clean: ## Remove .venv, site/ and caches; data/ and runs/ stay.
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
