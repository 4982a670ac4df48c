# Every command of the project. `make` alone lists them; each has its own environment, .venv, made
# on first use.

# Where `make demo` listens; without it, the first free port from 7860.
PORT ?=
# Where pip looks for torch beside its usual index. On Linux the usual one has the CUDA build of
# several GB; PyTorch's own index of CPU builds is https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --constraint constraints.txt \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
# Tests run in so many processes, file by file; each wants a core and 2 GB.
JOBS ?= 2
# The browser tests drive an installed Chromium or Chrome, under any of these names.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
# The napari tests open windows: on Linux on a virtual screen, with what Qt needs beside it.
SCREEN_PACKAGES := xvfb libgl1 libegl1 libgl1-mesa-dri libxkbcommon-x11-0 libxcb-cursor0 \
	libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 \
	libxcb-xinerama0 libdbus-1-3

.DEFAULT_GOAL := help
.PHONY: help demo space test test-all check fix browser screen clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'Options: PORT=8000 for demo; JOBS=4 for test; PYTHON=python3.12; TORCH_INDEX=URL (see README.md).'

demo: $(VENV)/demo.stamp ## open the web app on the model that comes with the project
	@$(BIN)/vrpsam app $(if $(PORT),--port $(PORT))

space: $(VENV)/demo.stamp ## fill build/space with all that a Space of the Hub needs
	@$(BIN)/python -m vrpsam_app.web.space build/space

test: $(VENV)/dev.stamp browser screen ## run the tests that need no GPU and no patience
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m 'not slow and not gpu'

test-all: $(VENV)/dev.stamp browser screen ## run every test
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: $(VENV)/dev.stamp ## layout, rules, types, spelling; changes nothing
	@failed=; \
	for tool in 'ruff format --check .' 'ruff check .' mypy typos; do \
		echo "$$tool"; $(BIN)/$$tool || failed="$$failed, $${tool%% *}"; \
	done; \
	if [ -n "$$failed" ]; then echo "Not clean:$${failed#,}" >&2; exit 1; fi

fix: $(VENV)/dev.stamp ## apply the layout and the rules that can be applied by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove .venv and the caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info

# A stamp is written when an installation has succeeded, so that the next run starts at once.
$(VENV)/demo.stamp: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP_INSTALL) --editable '.[web]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP_INSTALL) --editable '.[all,test,check]'
	@touch $@ $(VENV)/demo.stamp

# python3 if it is new enough, else a newer one that stands beside it.
$(VENV)/bin/python:
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $(VENV) with $$($$python --version)"; \
			$$python -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
			exit 0; \
		fi; \
	done; \
	echo 'Python 3.11 or newer is needed, and $(or $(PYTHON),python3) is older or missing.' \
		'Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12' >&2; \
	exit 1

browser:
	@for name in $(BROWSERS); do command -v $$name >/dev/null 2>&1 && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo 'Installing Chromium for the browser tests'; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null \
			&& exit 0; \
	fi; \
	echo 'The browser tests will fail: they need Chromium or Chrome, and found none of' \
		'$(BROWSERS). On Debian and Ubuntu: sudo apt-get install chromium' >&2

screen:
	@[ "$$(uname)" = Linux ] || exit 0; \
	if ! command -v dpkg-query >/dev/null 2>&1; then \
		command -v Xvfb >/dev/null 2>&1 || echo 'The napari tests will fail: they need Xvfb, and the' \
			'libraries that Qt needs on X11.' >&2; \
		exit 0; \
	fi; \
	missing=; \
	for package in $(SCREEN_PACKAGES); do \
		dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' \
			|| missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ]; then \
		echo "Installing a virtual screen for the napari tests:$$missing"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null \
			&& exit 0; \
	fi; \
	echo "The napari tests will fail without: sudo apt-get install$$missing" >&2
