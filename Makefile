# `make demo` and `make test` do everything on a fresh Debian machine with Python 3.11, make and git.

PYTHON ?= python3.11
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
NODE_SDK := cloudlet/tests/node/node_modules/.package-lock.json
export PORT ?= 8000
export CLOUDLET_PORT ?= 9000
# Use the machine's certificate store, as pip does: a company's proxy may use a certificate authority of its own.
export UV_SYSTEM_CERTS ?= true
export NODE_USE_SYSTEM_CA ?= 1
# Some machines set it; then every program that is started here would compile all modules again.
export PYTHONDONTWRITEBYTECODE :=
FUZZ_SECONDS ?= 120
TESTS := not soak
MARKERS ?= unit
PYTEST := $(BIN)/python -m pytest -q
BACKEND_PYTEST = $(PYTEST) -c ../pyproject.toml --rootdir .. --dist loadgroup --no-loadscope-reorder
# Only the modules with tests for PostgreSQL: each process would import the others for seconds.
DATABASE_TESTS = $$(grep -rl --include='test_*.py' mark.databases .)
TO_FILE = >$(CURDIR)/var/$@.log 2>&1; code=$$?; cat $(CURDIR)/var/$@.log; exit $$code
COVERAGE := HYPOTHESIS_PROFILE=fast $(BIN)/coverage run --rcfile=$(CURDIR)/pyproject.toml -m pytest -q -n 2
# One version of each package for all Pythons and systems, so that all of them test the same.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-header
PROJECTS := backend/pyproject.toml cloudlet/pyproject.toml ticketkit/pyproject.toml
BENCH ?=

.PHONY: help setup demo test-fast test-integration test test-sqlite test-others soak coverage bench lint lock clean

help: ## This list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 24

setup: $(VENV)/installed backend/.env $(NODE_SDK) ## Everything that demo and test need; safe to repeat

$(VENV)/installed: requirements.lock cloudlet/pyproject.toml ticketkit/pyproject.toml
	@scripts/need-python "$(PYTHON)" "$(VENV)"
	@echo "Installing the locked dependencies ..."
	@sed -n '/^uv==/,/[^\]$$/p' $< \
		| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r /dev/stdin
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable ./cloudlet --editable ./ticketkit
	@touch $@

# Tests do not access a registry, so install the Node packages here, with the hashes in the lock file.
$(NODE_SDK): cloudlet/tests/node/package-lock.json | $(VENV)/installed
	@cd $(dir $<) && $(BIN)/npm ci --silent --no-audit --no-fund --no-update-notifier

backend/.env:
	@install -m 600 backend/.env.example backend/.env
	@echo "Wrote backend/.env."

demo: $(VENV)/installed backend/.env ## A running system with an event and tickets, on this machine
	@$(BIN)/python scripts/demo.py

test-fast: setup ## Unit tests: no process, no network; under a minute
	@mkdir -p -m 700 var
	cd ticketkit && HYPOTHESIS_PROFILE=fast $(PYTEST) -n 2 -m unit
	cd backend && HYPOTHESIS_PROFILE=fast $(BACKEND_PYTEST) -n 2 -m unit .
	cd cloudlet && HYPOTHESIS_PROFILE=fast $(PYTEST) -n 2 -m unit

test: setup ## All tests except the soak tests: ticketkit, backend on SQLite, races also on PostgreSQL, cloudlet
	@scripts/need-debian chromium pdftoppm:poppler-utils qpdf openssl redis-server rabbitmq-server
	@mkdir -p -m 700 var
	@$(MAKE) --no-print-directory --jobs 2 test-sqlite test-others

test-sqlite: $(VENV)/compiled
	cd backend && $(BACKEND_PYTEST) -n 3 --durations=20 -m "$(TESTS)" .

# Beside the tests on SQLite, which wait for other processes at times. Print the output of one after the other.
test-others:
	@cd cloudlet && $(PYTEST) --durations=20 -m "$(TESTS)" $(TO_FILE)
	@cd ticketkit && $(PYTEST) --durations=20 -m "$(TESTS)" $(TO_FILE)
	@$(MAKE) --no-print-directory $(VENV)/compiled
	@cd backend && TEST_DATABASE=postgres $(BACKEND_PYTEST) -n 3 --durations=20 -m "databases and ($(TESTS))" $(DATABASE_TESTS) $(TO_FILE)

# Each process of a test run would compile all modules for itself.
$(VENV)/compiled: $(VENV)/installed
	@cd backend && $(BACKEND_PYTEST) --collect-only -q . >$(CURDIR)/var/compiled.log 2>&1 || { cat $(CURDIR)/var/compiled.log; exit 1; }
	@touch $@

test-integration: setup ## The backend's integration tests, on SQLite, or with TEST_DATABASE=postgres
	@scripts/need-debian pdftoppm:poppler-utils qpdf openssl redis-server rabbitmq-server
	@mkdir -p -m 700 var
	cd backend && $(BACKEND_PYTEST) -n 2 -m integration .

soak: setup ## All tests, also the long ones, with many more examples, and each fuzzer for FUZZ_SECONDS; takes hours
	@mkdir -p -m 700 var
	@scripts/fuzz $(BIN)/python $(FUZZ_SECONDS)
	HYPOTHESIS_PROFILE=soak $(MAKE) test TESTS="soak or not soak" PYTEST="$(PYTEST) --timeout 3600"

coverage: export COVERAGE_FILE = $(CURDIR)/var/coverage/data
coverage: setup ## Lines and branches that the unit tests run; MARKERS="unit or integration" for more
	@rm -rf var/coverage && mkdir -p -m 700 var var/coverage
	cd ticketkit && $(COVERAGE) -m "$(MARKERS)"
	cd backend && $(COVERAGE) -c ../pyproject.toml --rootdir .. -m "$(MARKERS)" .
	cd cloudlet && $(COVERAGE) -m "$(MARKERS)"
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --skip-covered --skip-empty --sort=cover

bench: setup ## Measure everything, and write docs/reference/benchmarks.md; BENCH="render publish" measures some
	@scripts/need-debian redis-server rabbitmq-server
	@mkdir -p -m 700 var
	$(BIN)/python benchmarks/run.py $(BENCH)

lint: setup ## Spelling, style, types, import contracts, migrations, API document
	$(BIN)/typos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy backend/apps backend/config ticketkit/src cloudlet/src
	cd backend && $(BIN)/lint-imports --config ../pyproject.toml
	cd backend && $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python scripts/requirements.py | diff backend/requirements.txt - # `make lock` writes it
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/idea.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml

lock: ## Choose the newest versions that the requirements allow
	$(BIN)/python scripts/requirements.py >backend/requirements.txt
	$(COMPILE) --upgrade $(PROJECTS:%=--group %:dev) --group pyproject.toml:dev $(PROJECTS) -o requirements.lock
	$(COMPILE) --constraints requirements.lock $(PROJECTS) -o requirements-image.lock

clean: ## Delete the virtual environment and the demo's data, but not the key that signed its tickets
	rm -rf $(VENV) $(dir $(NODE_SDK))
	if [ -d var ]; then find var -mindepth 1 -maxdepth 1 ! -name secret_key -exec rm -rf {} +; fi
