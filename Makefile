# A newcomer's targets do all their own set-up: Python >= 3.11 and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
AZCLI := build/azcli-venv
NPM := build/npm
AXE := build/axe
STRANGERS := build/strangers

.PHONY: help demo test test-azcli test-lab test-npm test-strangers lint lab crash bench docs picture clean

help:
	@echo "make demo   run the quickstart notebook on the emulator and print its tables"
	@echo "make test   run the tests"
	@echo "make test-azcli  run the Azure CLI against batchimg emulator (installs azure-cli, which is large)"
	@echo "make test-lab  test the panel in JupyterLab with a headless browser (needs chromium, node and npm)"
	@echo "make test-npm  run the Azure clients of npm against batchimg emulator (needs node and npm)"
	@echo "make test-strangers  run programs that others wrote with the emulator (installs them below build/, which takes long)"
	@echo "make lint   ruff (format and check) and mypy --strict"
	@echo "make lab    open JupyterLab on the notebooks"
	@echo "make crash  kill every verb that changes resources at every request, and run it again; then kill 30 processes beside others, let it meet outages, and answer each request with errors (CRASH=--every=4: some; STATUSES=--every=60: of the errors)"
	@echo "make bench  measure side by side with other tools (installs them below build/); BENCH='startup memory' for some"
	@echo "make picture  take the README's pictures in JupyterLab (needs chromium)"
	@echo "make docs   write the generated pages again"
	@echo "make clean  remove build/, dist/ and the caches of the tools"

$(READY): pyproject.toml
	@echo "Installing into $(VENV): the package, JupyterLab, pandas, the Azure SDKs and the tools of the tests."
	@echo "It downloads about 160 MB, needs 900 MB of disk space, and takes 1 to 5 minutes, only this time."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --progress-bar off --editable '.[lab,parquet,plot,rocrate,sbom,server]' --group dev
	touch $@

demo: $(READY)
	$(BIN)/python -m tests.support.demo notebooks/01-quickstart.ipynb

# A file's tests stay in one process: many share a server or a session. In order, the files that take long are not last.
test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Azure's command line pins what it needs, so it has an environment of its own.
$(AZCLI)/.ready:
	test -x $(AZCLI)/bin/python || $(PYTHON) -m venv $(AZCLI)
	$(AZCLI)/bin/python -m pip install --quiet azure-cli
	touch $@

test-azcli: $(READY) $(AZCLI)/.ready
	PATH="$(CURDIR)/$(AZCLI)/bin:$$PATH" $(BIN)/python -m pytest tests/azcli

# Needs Node.js, and npm's registry the first time. Versions are exact, and no lock file names a registry.
$(NPM)/.ready: tests/npm/package.json
	mkdir -p $(NPM)
	cp $< $(NPM)
	npm install --prefix $(NPM) --no-package-lock --no-audit --no-fund --loglevel=error
	touch $@

# Needs Debian's chromium, which is not Python's to install.
$(VENV)/.playwright: $(READY)
	$(BIN)/python -m pip install --quiet playwright notebook
	touch $@

# Needs Node.js: the audit of accessibility is npm's. The version is exact, and no lock file names a registry.
$(AXE)/.ready: tests/lab/package.json
	mkdir -p $(AXE)
	cp $< $(AXE)
	npm install --prefix $(AXE) --no-package-lock --no-audit --no-fund --loglevel=error
	touch $@

test-lab: $(VENV)/.playwright $(AXE)/.ready
	$(BIN)/python -m pytest tests/lab

test-npm: $(READY) $(NPM)/.ready
	$(BIN)/python -m tests.npm $(NPM)

# Programs of others, each in an environment of its own. Versions are exact; these installations reach the registries.
$(STRANGERS)/%/.ready: tests/strangers/environments/%.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --requirement $<
	touch $@

# The packages that Ansible's collection for Azure needs are in a list of the collection.
$(STRANGERS)/ansible/.ready: tests/strangers/environments/ansible.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --requirement $<
	$(@D)/bin/python -m pip install --quiet --requirement $(@D)/lib/python3*/site-packages/ansible_collections/azure/azcollection/requirements.txt
	touch $@

# Tasks of a workflow install Snakemake's storage plugin themselves; they find it in this folder.
$(STRANGERS)/snakemake/.ready: tests/strangers/environments/snakemake.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --requirement $<
	$(@D)/bin/python -m pip download --quiet --dest $(@D)/wheels $$(grep storage $<)
	touch $@

# The sources of Azure's SDKs contain their tests. One download each: pip refuses two versions of a package at once.
$(STRANGERS)/sdk-sources/.ready: tests/strangers/environments/sdk-sources.txt
	mkdir -p $(@D)
	grep -v '^#' $< | xargs -n 1 $(PYTHON) -m pip download --quiet --no-deps --no-binary :all: --dest $(@D)
	cd $(@D) && for archive in *.tar.gz; do tar xzf $$archive; done
	touch $@

$(STRANGERS)/node/.ready: tests/strangers/environments/package.json
	mkdir -p $(@D)
	cp $< $(@D)
	npm install --prefix $(@D) --no-package-lock --no-audit --no-fund --loglevel=error
	touch $@

STRANGERS_READY := $(foreach name,ansible custodian libcloud node sdk-sources sdk-tests sdk-tests-before snakemake,$(STRANGERS)/$(name)/.ready)

test-strangers: $(READY) $(AZCLI)/.ready $(STRANGERS_READY)
	PATH="$(CURDIR)/$(AZCLI)/bin:$$PATH" $(BIN)/python -m pytest tests/strangers $(ONLY)

lint: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

lab: $(READY)
	$(BIN)/jupyter lab notebooks

crash: $(READY)
	$(BIN)/python -m tests.support.crash $(CRASH)
	$(BIN)/python -m tests.support.sigkills
	$(BIN)/python -m tests.support.outages $(CRASH)
	$(BIN)/python -m tests.support.statuses $(or $(STATUSES),$(CRASH))

bench: $(READY)
	$(BIN)/python -m tests.bench $(BENCH)

docs: $(READY)
	$(BIN)/python -m docs.generate.reference docs/reference.md
	$(BIN)/python -m docs.generate.session_stub batchimg_magics/session/methods.pyi
	$(BIN)/python -m docs.generate.rules docs/rules.md
	$(BIN)/python -m docs.generate.coverage docs/coverage.md
	$(BIN)/python -m docs.generate.assumptions docs/assumed.md

picture: $(VENV)/.playwright
	$(BIN)/python -m tests.lab.picture docs

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache
