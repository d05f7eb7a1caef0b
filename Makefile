# Needs Python 3.11 or 3.12, Java 17 or newer, and make; everything else is fetched from the package registries.
# The first that runs and fits; a name on the PATH may be a shim of an absent version.
FITS   := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3,$(shell $(name) -c '$(FITS)' 2>/dev/null && echo $(name))))
VENV   := .venv
BIN    := $(VENV)/bin
UNTIL  ?= 2013-10-01
N      ?= 200
CLOUD  ?= aws
TARGET ?= test
KILL   ?= inference
LOOPS  ?= tests
REPLAYED ?= data/replay/dev/incidents-from-2013-04-01-step-336h
# What is deployed, and where, has no default.
MISSING = $(foreach name,TARGET CLOUD COMMIT STAGED,$(if $(filter file undefined,$(origin $(name))),$(name),$(if $($(name)),,$(name))))
# The one release in the folder STAGED.
RELEASE = $(wildcard $(STAGED)/*)

export DO_NOT_TRACK = 1
export SPARK_LOCAL_IP = 127.0.0.1
export GIT_PYTHON_REFRESH = quiet
# Every command and every Spark worker starts Python anew: compiled once, they start in half the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test java env jars lint workflows unit spark loops prove-job chaos bench power replay replay-docs scan audit release given deploy pins clean

help: ## What there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

run: env ## Play the feed up to UNTIL and run the whole loop on it
	$(BIN)/kedro land --until $(UNTIL)
	$(BIN)/kedro run

test: env lint unit spark ## Lint, types, import contracts, catalogs, and all tests but those of minutes

# Two processes of tests fill two cores; threads of their own would only wait for each other.
unit spark loops: export OMP_NUM_THREADS = 1

unit: env ## The tests of functions, in seconds: no Spark, no process, server or command, no whole configuration, no page
	$(BIN)/python -m pytest --unit --numprocesses 2 --dist loadfile --junitxml build/tests/unit.xml

spark: env ## The others; each of the two processes has one Spark session for all its tests
	$(BIN)/python -m pytest -m "(spark or slow) and not loop" --numprocesses 2 --dist loadfile --durations 15 --junitxml build/tests/spark.xml

# Not the files with most tests first: the longest of all has one.
loops: env ## The tests of minutes, or those in LOOPS: a damaged feed, files in any order, lines taken back, the packaged entry, the whole loop as a user starts it, over Spark Connect, replayed, and killed
	$(BIN)/python -m pytest $(LOOPS) -m loop --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 15 --junitxml build/tests/loops.xml

lint: env workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	printf '%s\n' dev test staging prod | xargs -P 2 -I {} sh -c '$(BIN)/kedro catalog resolve-patterns --env={} > $(VENV)/catalog-{}.yml'

prove-job: env ## Run every task of TARGET's jobs from the wheel in a clean environment, one killed and repaired
	$(BIN)/python tests/prove_job.py --cloud $(CLOUD) --target $(TARGET) --kill $(KILL)

workflows: env
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml
	$(BIN)/check-jsonschema --regex-variant python --builtin-schema vendor.azure-pipelines azure-pipelines.yml .azure/*.yml
	$(BIN)/zizmor --offline --quiet --min-severity medium .github

scan: env ## Search everything in git for secrets; asks nobody
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify --exclude-lines 'secret_scope:|\$$\{secret:|def test_'

audit: env ## Ask the vulnerability service about every pin; needs the network
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements/dev.txt

release: env ## Build once, and put it under a manifest with the reports of make test
	rm -rf dist
	$(BIN)/kedro package
	$(BIN)/kedro release $(addprefix --tests ,$(wildcard build/tests/*.xml))

given:
	@test -z "$(strip $(MISSING))" || { echo "make deploy: needs a value for $(strip $(MISSING))"; exit 1; }

deploy: given env ## Deploy STAGED, a folder release-<digest> with a release of COMMIT, to TARGET on CLOUD, by the platform's command line
	$(BIN)/kedro release verify $(RELEASE) --digest $(patsubst release-%,%,$(notdir $(STAGED))) --commit $(COMMIT)
	cd $(RELEASE)/deploy/$(CLOUD) && BUNDLE_VAR_release=$(notdir $(RELEASE)) databricks bundle deploy --target $(TARGET)

chaos: env ## Kill the loop N times at random points, a replayed week half as often, and compare the tables
	$(BIN)/python -m pytest tests/test_chaos.py tests/test_replay.py --kills $(N)

bench: env ## Compare a day on nine months of history with one on four, and server and batch with the model itself
	$(BIN)/python tests/bench.py
	$(BIN)/python tests/bench_serving.py
	$(BIN)/python tests/bench_scoring.py
	$(BIN)/python tests/bench_replay.py

replay: env ## Play April to December again under each retraining policy, with incidents; goes on where it was stopped
	$(BIN)/kedro replay --from 2013-04-01 --to 2013-12-23 --step 14d --incidents conf/replay/incidents.yml
	$(MAKE) replay-docs

replay-docs: env ## Write docs/replay.md from REPLAYED, the folder of a finished replay; COMMIT played it, if it does not say so
	$(BIN)/python tests/replay_docs.py $(REPLAYED) $(addprefix --commit ,$(COMMIT))

power: env ## Measure the monitor's false alarms and power on the lakehouse's days
	$(BIN)/python tests/power.py

java:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed, and neither is on the PATH: install one."; exit 1; }
	@$(PYTHON) src/lakehouse_ml/java.py

env: java $(VENV)/.jars

$(VENV)/.pins: requirements/dev.txt requirements/uv.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements/dev.txt
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@

$(VENV)/.jars: $(VENV)/.pins requirements/jars.sha256
	$(BIN)/python requirements/fetch_jars.py
	@touch $@

pins: ## Compile the pins anew
	$(BIN)/uv pip compile pyproject.toml --extra local --extra dev --constraints requirements/runtime-19.txt \
	  --generate-hashes --no-emit-index-url --universal --python-version 3.11 --quiet --output-file requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --constraints requirements/runtime-19.txt --constraints requirements/dev.txt \
	  --generate-hashes --no-emit-index-url --universal --python-version 3.11 --quiet --output-file requirements/job.txt
	echo "uv==$$($(BIN)/uv --version | cut -d' ' -f2)" | $(BIN)/uv pip compile - --generate-hashes --no-emit-index-url \
	  --universal --python-version 3.11 --quiet --output-file requirements/uv.txt

clean: ## Remove the environment and all data
	rm -rf $(VENV) build dist data/01_raw data/lakehouse data/mlflow data/reporting data/replay
