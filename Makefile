# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
# `make` alone lists what there is. Everything runs in .venv, which is made when it is needed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-matrix test-stacks lint bench study lock clean environment

# Where it is set, every process compiles TensorFlow's sources anew, for ten seconds.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
# What is installed: a lock file, made out of ranges, into an environment of its own.
STACK ?= default
ifeq ($(STACK),default)
  TENSORFLOW := 2.20
  PYTHONS := 3.10 3.11 3.12 3.13
  VENV := .venv
  LOCK := requirements-lock.txt
  RANGES := requirements.txt requirements-beam.txt requirements-dev.txt
else ifeq ($(STACK),tf215)
  TENSORFLOW := 2.15
  PYTHONS := 3.10 3.11
  VENV := .venv-tf215
  LOCK := requirements-tf215-lock.txt
  RANGES := requirements-tf215.txt requirements-beam.txt requirements-dev.txt requirements-tf215-dev.txt
else
  $(error STACK is 'default' or 'tf215', not '$(STACK)')
endif
AS_ASKED := $(if $(filter default,$(STACK)),, STACK=$(STACK))
BIN := $(VENV)/bin
RUN := $(BIN)/python
# In the order of tests/conftest.py, the longest files first: xdist would begin with the files of most tests.
# One process more than there are processors: tests wait for timers, servers and processes they start.
PROCESSES := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
PARALLEL := --numprocesses=$(PROCESSES) --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
RANGE := $(firstword $(PYTHONS)) to $(lastword $(PYTHONS))

help:
	echo 'make demo    the whole way on embedded data: videos to report page, in demo/'
	echo 'make test    all tests; PYTEST="-x tests/records_test.py" for some of them'
	echo 'make lint    ruff check and format'
	echo 'make bench   speed and memory, docs/performance.md; an hour, nothing beside it;'
	echo '             VIDEOS=DIR for input of full size, TORCH_PYTHON=PATH for PyTorch beside it'
	echo 'make study   ablations on embedded data, docs/results.md; some hours, goes on where it stopped'
	echo 'make lock    requirements-lock.txt anew, out of requirements.txt, -beam.txt and -dev.txt'
	echo 'make clean   removes .venv, .venv-*, caches and demo/; runs/ stays'
	echo
	echo 'make test-fast     without the slow ones'
	echo 'make test-matrix   test-fast with every Python on both stacks; half an hour'
	echo 'make test-stacks   checkpoints and SavedModels from one stack to the other'
	echo
	echo 'Each makes .venv from requirements-lock.txt first, unless it is there and up to date.'
	echo 'PYTHON=/path/to/python3.12 chooses the Python: 3.10 to 3.13.'
	echo 'STACK=tf215 chooses the second stack: .venv-tf215 from requirements-tf215-lock.txt, with'
	echo 'TensorFlow 2.15, tensorflow-addons and tensorflow-io, on Python 3.10 or 3.11.'

demo: environment
	$(RUN) -m official_cvrl.demo --output=demo

test: environment
	$(RUN) -m pytest $(or $(PYTEST),$(PARALLEL))

test-fast: environment
	$(RUN) -m pytest $(PARALLEL) -m 'not slow'

test-matrix:
	.ci/matrix

test-stacks:
	$(MAKE) --no-print-directory environment
	$(MAKE) --no-print-directory environment STACK=tf215
	.ci/stacks

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: environment
	$(RUN) -m benchmarks.everything --output=runs/benchmarks --videos='$(VIDEOS)' \
	    --torch_python='$(TORCH_PYTHON)'

study: environment
	$(RUN) -m benchmarks.small_study --output=runs/study

lock: environment
	$(BIN)/pip install -qq uv
	UV_CUSTOM_COMPILE_COMMAND='make lock$(AS_ASKED)' $(BIN)/uv pip compile --quiet --upgrade \
	    --universal --python-version 3.10 --no-emit-index-url $(RANGES) --output-file $(LOCK)
	echo "$(LOCK) is new; 'make test$(AS_ASKED)' installs and tries it."

# Up to date means: made from the same lock file, by content, and with the Python asked for, if any.
environment:
	if [ '$(origin PYTHON)' = file ] && cmp --quiet $(LOCK) $(VENV)/installed; then exit 0; fi
	version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])') || {
	  echo "make: no Python at '$(PYTHON)'; install Python $(RANGE), or: make PYTHON=/path/to/python3" >&2
	  exit 2
	}
	case ' $(PYTHONS) ' in
	  *" $$version "*) ;;
	  *) echo "make: '$(PYTHON)' is Python $$version; TensorFlow $(TENSORFLOW) needs $(RANGE): make PYTHON=/path/to/python3.11$(AS_ASKED)" >&2
	     exit 2 ;;
	esac
	if [ -x $(BIN)/python$$version ] && cmp --quiet $(LOCK) $(VENV)/installed; then exit 0; fi
	echo "Making $(VENV) with Python $$version: 150 packages, 3.2 GB, some minutes the first time …"
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV) || {
	  echo "make: '$(PYTHON)' cannot make environments; on Debian or Ubuntu: apt install python3-venv" >&2
	  exit 2
	}
	export PIP_DISABLE_PIP_VERSION_CHECK=1
	$(BIN)/pip install -qq --upgrade 'pip>=24'
	$(BIN)/pip install -qq --no-compile --requirement $(LOCK) || {
	  echo "make: the packages could not be installed (see above); is a package index reachable?" >&2
	  exit 2
	}
	cp $(LOCK) $(VENV)/installed
	echo "Made $(VENV) in $$SECONDS s."

clean:
	rm -rf .venv .venv-* .pytest_cache .ruff_cache demo
	find . -name __pycache__ -prune -exec rm -rf {} +
