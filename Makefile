# Each target works on a fresh machine by itself: it needs Python 3.11 or later, and make.
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
BIN := .venv/bin

.PHONY: help run demo test soak soak-kafka soak-ingest soak-webhooks faults mutate lint bench bench-ingest bench-kafka bench-words kafka format lock schemas clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: .venv/installed ## start the service on http://127.0.0.1:8080
	@exec $(BIN)/tapedeck serve

demo: .venv/installed ## a recording all the way through: chunks in, transcript and history out
	@$(BIN)/tapedeck demo

test: .venv/installed ## all tests, in two processes side by side; one with ARGS="-n 0"
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

faults: .venv/installed ## plant faults in a copy of the code, one at a time; the tests must notice each
	@$(BIN)/python -m tests.tools.simulation.planted_faults $(ARGS)
soak: .venv/installed ## the simulation over 10 000 seeds (or SIMULATION_SEEDS), the properties over 20 000 runs
	@$(BIN)/python -m tests.tools.simulation
	SOAK_EXAMPLES=$${SOAK_EXAMPLES:-20000} $(BIN)/python -m pytest --timeout 0 --durations 3 tests/domain/test_state_machine.py $(ARGS)

mutate: .venv/installed ## change the domain's code in every small way, and see that a test notices: some half an hour
	$(BIN)/mutmut run
	@$(BIN)/mutmut export-cicd-stats > /dev/null
	@$(BIN)/mutmut results
	@$(BIN)/python -m tests.tools.mutation_score

lint: .venv/installed ## formatting, lint, types, the walls between the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed ## measurements, as ratios
	@$(BIN)/python -m tests.tools.bench $(ARGS)

bench-ingest: .venv/installed ## how fast chunks are taken in, beside nginx and others, as ratios
	@$(BIN)/python -m tests.tools.bench.ingest

soak-ingest: .venv/installed ## kill -9, 200 times under load; and a million small chunks (half an hour)
	@$(BIN)/python -m tests.tools.bench.ingest.soak

bench-kafka: .venv/installed ## the publisher beside a bare producer, and how long consumers wait
	@$(BIN)/python -m tests.tools.bench.kafka

bench-words: .venv/installed ## how many words the engine gets right, beside plain faster-whisper; see ARGS=--help
	@$(BIN)/python -m tests.tools.bench.words $(ARGS)

kafka: .venv/installed ## a real Apache Kafka of your own on port 9092, until Ctrl-C; needs Java 17 and Maven
	@exec $(BIN)/python -m tests.tools.kafka $(ARGS)

soak-kafka: .venv/installed ## the Kafka tests at full size: 50 kills, 5 broker restarts, two minutes without Kafka
	@CI=true KAFKA_SOAK=full $(BIN)/python -m pytest tests/end_to_end/test_kafka.py -s $(ARGS)

schemas: .venv/installed ## write what is generated from the code: schemas/, the drawing in domain/README.md
	@$(BIN)/python -m service.generators.event_schemas
	@$(BIN)/python -m service.generators
	@$(BIN)/python -m service.generators.openapi
	@$(BIN)/python -m service.generators.life_diagram
soak-webhooks: .venv/installed ## 10 000 webhook deliveries, two receivers dead, a kill -9 in the middle
	@$(BIN)/python -m tests.tools.soak.webhooks $(ARGS)

format: .venv/installed ## rewrite the code as lint wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/installed ## resolve the dependencies anew into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet -o requirements.lock

clean: ## remove what the targets made, but never .data
	rm -rf .venv .bench-words .kafka .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info build mutants

.venv/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "tapedeck needs Python 3.11 or later; install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up .venv (once; about a minute) ..."
	@$(PYTHON) -m venv --clear .venv || { echo "python's venv module is missing; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock || { \
		echo "A dependency could not be installed, see above. Without network access, ask again later; CTranslate2, which recognizes speech, has no build for Alpine and other systems on musl: use one with glibc." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@
