# Every target sets up what it needs: a virtual environment in .venv with the locked dependencies.
# Needs Python 3.11 or newer and GNU Make 3.81 or newer, nothing else.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
BROWSER := .venv/.browser
TOOLS := .venv/tools
ARGS ?=
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo demo-nextauth test test-slow test-browser screenshots check check-deploy sbom audit serve login-page bench soak wheel lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

$(READY): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up .venv ..."
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv || \
	  { echo "This Python cannot make virtual environments (on Debian: apt install python3-venv)." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(BROWSER): requirements/browser.lock $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/browser.lock
	@touch $@

$(TOOLS)/.ready: requirements/tools.lock
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.lock
	@touch $@

demo: $(READY) ## The whole story on this machine, then stay up to play with (ARGS=--once: end after the run)
	@$(BIN)/oidc-bridge demo $(ARGS)

demo-nextauth: $(READY) ## The Next.js example, signing in through a bridge on this machine (Node.js 20.9 or newer)
	@PYTHONPATH=tests/journeys $(BIN)/python -m nextauth_demo

test: $(READY) ## Run the tests (ARGS goes to pytest, JOBS processes at once)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

test-slow: $(READY) ## Run the tests that take long: kills at every point, faults and restarts under load
	@$(BIN)/python -m pytest -m slow -n $(JOBS) --dist loadfile $(ARGS)

test-browser: $(BROWSER) ## Test the pages in Chromium (on Debian: apt install chromium chromium-driver)
	@$(BIN)/python -m pytest -m browser $(ARGS)

screenshots: $(BROWSER) ## Every page as pictures in build/screenshots, light and dark, desktop and phone
	@PYTHONPATH=tests $(BIN)/python -m browser.screenshots $(ARGS)
	@test -n "$(ARGS)" || PYTHONPATH=tests:tests/journeys $(BIN)/python -m own_page_pictures

check: $(READY) ## Lint, format, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

check-deploy: $(READY) $(TOOLS)/.ready ## Lint what deploy/ holds: Dockerfile, compose.yaml, systemd unit, proxies
	@$(BIN)/python deploy/lint.py
	@$(BIN)/python -m pytest -m rehearsal tests/journeys/test_image.py tests/journeys/test_operating.py $(ARGS)

sbom: $(READY) $(TOOLS)/.ready ## What an installation consists of, as CycloneDX, in build/sbom.json
	@rm -rf build/sbom && $(PYTHON) -m venv --without-pip build/sbom/installed
	@$(BIN)/python -m build --wheel --no-isolation --outdir build/sbom . >/dev/null
	@for what in "--require-hashes -r requirements/run.lock" "--no-deps --no-index build/sbom/*.whl"; do \
	  $(BIN)/python -m pip --python build/sbom/installed/bin/python install --quiet --disable-pip-version-check $$what || exit 1; \
	done
	@$(TOOLS)/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
	  --output-format JSON --output-file build/sbom.json build/sbom/installed
	@rm -rf build/sbom && echo "The bill of materials is in build/sbom.json"

audit: $(READY) $(TOOLS)/.ready ## Known vulnerabilities in everything that is locked; fails if nobody can be asked
	@$(TOOLS)/bin/python requirements/audit.py $(TOOLS)/bin/pip-audit

serve: $(READY) ## Serve with your configuration (oidc-bridge init makes one)
	@$(BIN)/oidc-bridge serve $(ARGS)

login-page: $(READY) ## Build the bridge's own sign-in page into login-page/dist (Node.js 20 or newer)
	@$(BIN)/oidc-bridge login-page build $(ARGS)

bench: $(READY) ## CPU per exchange beside the bare cost of its cryptography, in one run
	@$(BIN)/python -m bench $(ARGS)

soak: $(READY) ## Every kind of honest use for ten minutes, as keys rotate and clients change (ARGS="--seconds N --database postgresql")
	@PYTHONPATH=tests:tests/journeys $(BIN)/python -m soaking $(ARGS)

wheel: $(READY) ## Build dist/*.whl
	@rm -rf dist
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

lock: $(READY) ## Renew the locked versions (newest allowed by pyproject.toml)
	@test -x .venv/lock/bin/uv || { $(PYTHON) -m venv .venv/lock && .venv/lock/bin/python -m pip install --quiet uv; }
	@for set in run dev browser image tools; do \
	  case $$set in \
	    run) what="pyproject.toml" ;; \
	    dev) what="pyproject.toml --group test --group check --group build" ;; \
	    browser) what="--group browser --constraint requirements/dev.lock" ;; \
	    image) what="--group image --constraint requirements/dev.lock" ;; \
	    tools) what="--group tools" ;; \
	  esac; \
	  .venv/lock/bin/uv pip compile $$what --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet --output-file requirements/$$set.lock || exit 1; \
	done

clean: ## Remove what the targets made
	@rm -rf .venv .demo build dist login-page/dist login-page/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
