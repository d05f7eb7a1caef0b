# Needs Python 3.11 or 3.12, Java 17 or newer, and make; everything else is fetched from the package registries.
# The first that runs and fits; a name on the PATH may be a shim of an absent version.
FITS   := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3,$(shell $(name) -c '$(FITS)' 2>/dev/null && echo $(name))))
VENV   := .venv
BIN    := $(VENV)/bin
UNTIL  ?= 2013-10-01
N      ?= 200

export DO_NOT_TRACK = 1
export SPARK_LOCAL_IP = 127.0.0.1
export GIT_PYTHON_REFRESH = quiet
# Every command and every Spark worker starts Python anew: compiled once, they start in half the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test java env jars lint unit spark chaos bench power replay pins clean

help: ## What there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: env ## Play the feed up to UNTIL and run the whole loop on it
	$(BIN)/kedro land --until $(UNTIL)
	$(BIN)/kedro run

test: env lint unit spark ## Lint, types, import contracts, catalogs, and all tests

unit: env ## The tests that need no Spark, no MLflow store and no process of their own
	$(BIN)/python -m pytest -m "not spark and not slow" --numprocesses 2 --dist loadfile

spark: env ## The others; each of the two processes has one Spark session for all its tests
	$(BIN)/python -m pytest -m "spark or slow" --numprocesses 2 --dist loadfile --durations 15

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	for env in dev test staging prod; do $(BIN)/kedro catalog resolve-patterns --env=$$env > $(VENV)/catalog-$$env.yml || exit 1; done

chaos: env ## Kill the loop N times at random points and compare the tables
	$(BIN)/python -m pytest tests/test_chaos.py --kills $(N)

bench: env ## Compare a day on nine months of history with one on four, and server and batch with the model itself
	$(BIN)/python tests/bench.py
	$(BIN)/python tests/bench_serving.py
	$(BIN)/python tests/bench_scoring.py
	$(BIN)/python tests/bench_replay.py

replay: env ## Play April to December again under each retraining policy, with incidents; goes on where it was stopped
	$(BIN)/kedro replay --from 2013-04-01 --to 2014-01-01 --step 7d --incidents conf/replay/incidents.yml

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
	echo "uv==$$($(BIN)/uv --version | cut -d' ' -f2)" | $(BIN)/uv pip compile - --generate-hashes --no-emit-index-url \
	  --universal --python-version 3.11 --quiet --output-file requirements/uv.txt

clean: ## Remove the environment and all data
	rm -rf $(VENV) data/01_raw data/lakehouse data/mlflow data/reporting data/replay
