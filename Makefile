# Every target stands alone: what it needs is set up first, once.
.DEFAULT_GOAL := help
STACK ?= prod
PYTHON ?= python3
VENV := .venv/bin
# Brings the programs that are named by a purpose, where they are missing (docs/tools.md).
TOOLS := $(VENV)/python -m tools.install
# `make preview` and `make up` speak to the real clouds; the engine is an official Pulumi on PATH, or else that of this checkout.
PULUMI := $(VENV)/python -m tools.run pulumi
OPS := $(VENV)/python -m tools.run python -m ops
# Resources that this plan may delete or replace, as the refusal lists them: ALLOW_DELETE="Server::hetzner3 PrimaryIp::hetzner3".
ALLOW_DELETE_OPTIONS = $(foreach resource,$(ALLOW_DELETE),--allow-delete $(resource))
# REFRESH=1 refreshes the state from Hetzner, Cloudflare and the cluster first, so that `up` reverts manual changes.
REFRESH_OPTION = $(if $(REFRESH),--refresh)
# Who plays the kubelets: kwok, unless NODES=real, whose world is another one.
REHEARSAL := $(VENV)/python -m rehearsal $(if $(filter real,$(NODES)),--world real)
# Tags of images, commits as a rule; API alone is worker's too.
TAGS = $(if $(API),--api $(API)) $(if $(WORKER),--worker $(WORKER)) $(if $(ADMIN),--admin $(ADMIN)) $(if $(WEB),--web $(WEB))

.PHONY: help rehearse rehearse-down test lint unit policy manifests workflows use connectivity diagram rehearsal-tests real bench adopt preview up release drift outputs outdated lock tools test-tools

help: ## what there is to type
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

rehearse: .venv/ready ## production's own configuration, previewed and applied on this machine alone; NODES=real runs its containers (Linux, root)
	@$(REHEARSAL) run $(if $(NODES),--nodes $(NODES))

rehearse-down: .venv/ready ## end the rehearsal and remove its world; that of NODES=real, too
	@$(REHEARSAL) down

# What fails in seconds comes before what takes minutes.
test: lint unit policy test-tools manifests workflows use rehearsal-tests ## all tests but those with real nodes

lint: .venv/ready ## formatting, lint and types
	@$(VENV)/ruff format --check .
	@$(VENV)/ruff check .
	@$(VENV)/mypy .

unit: .venv/ready ## tests that need no engine, in seconds
	@$(VENV)/pytest tests/unit --numprocesses 2 --dist loadfile

policy: .venv/ready policy/.venv/ready ## the policy pack, as the engine would speak to it
	@$(VENV)/pytest tests/policy

manifests: .venv/ready ## the rendered manifests through their checkers, the table of who may talk to whom, the picture
	@$(TOOLS) manifests diagram
	@$(VENV)/pytest tests/manifests tests/diagram

workflows: .venv/ready ## CI's workflows through actionlint, and what they may see and do
	@$(TOOLS) workflows
	@$(VENV)/pytest tests/workflows

use: .venv/ready policy/.venv/ready ## unit, policy, manifests and workflows once more, in a copy that was released, enlarged and set otherwise
	@$(TOOLS) manifests diagram workflows
	@$(VENV)/pytest tests/use

connectivity: .venv/ready ## write that table anew, after a change of a network policy
	@$(TOOLS) manifests
	@$(VENV)/python -m tests.manifests.connectivity

diagram: .venv/ready ## draw docs/diagram.svg anew, after a change of what the program declares
	@$(TOOLS) diagram
	@$(VENV)/python -m tests.diagram.generate

rehearsal-tests: .venv/ready policy/.venv/ready ## tests with the real engine and a real control plane
	@$(TOOLS) rehearsal-tests
	@$(VENV)/pytest tests/rehearsal --numprocesses 3 --dist loadfile --no-loadscope-reorder

real: .venv/ready ## tests with real nodes: kubelets, containers, network policies; they need Linux and root
	@$(TOOLS) nodes manifests
	@$(VENV)/pytest tests/real -m "real_nodes and alone"
	@$(VENV)/pytest tests/real -m "real_nodes and not alone" --numprocesses 2 --dist loadscope --no-loadscope-reorder

bench: .venv/ready ## how long a preview and a release take, against an empty program and the book's script in the same world
	@$(TOOLS) rehearsal
	@$(VENV)/python -m bench

adopt: .venv/ready ## the first day: take over what already exists, without touching it; asks first
	@$(OPS) adopt --stack $(STACK)

preview: .venv/ready ## what an up would change in production, checked against the guard rails; DIFF=1 shows every value
	@$(OPS) preview --stack $(STACK) $(ALLOW_DELETE_OPTIONS) $(REFRESH_OPTION) $(if $(DIFF),--diff)

up: .venv/ready ## apply it; asks first, and refuses a plan that breaks a guard rail
	@$(OPS) up --stack $(STACK) $(ALLOW_DELETE_OPTIONS) $(REFRESH_OPTION)

release: .venv/ready ## new images: make release API=<commit> WEB=<commit>; asks first, tells a failed migration's log
	@$(OPS) release --stack $(STACK) $(TAGS)

drift: .venv/ready ## whether production still is what is declared; changes nothing
	@$(OPS) drift --stack $(STACK)

outputs: .venv/ready ## addresses, URLs, release, expiry, cost
	@$(PULUMI) stack output --stack $(STACK)

outdated: .venv/ready ## what has a newer version than its pin
	@$(VENV)/python -m tools.outdated

lock: .venv/ready ## compile requirements*.in to lock files with hashes; with UPGRADE=1 to the newest versions that they allow
	@$(TOOLS) lock
	@$(VENV)/python -m tools.lock $(if $(UPGRADE),--upgrade)

tools: .venv/ready ## bring the programs of rehearsals and tests, where they are missing; with NODES=real those of real nodes, too
	@$(TOOLS) tests $(if $(filter real,$(NODES)),nodes)

# All at once, so that there is one wait: programs share packages, which are then compiled once. `make test real` brings those of both.
test-tools: .venv/ready
	@$(TOOLS) tests $(if $(filter real,$(MAKECMDGOALS)),nodes)

.venv/ready: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python %d.%d is too old; Python 3.11 or newer is needed (PYTHON=... chooses one)" % sys.version_info[:2])'
	@echo "Setting up Python in .venv from the lock file, once"
	@$(PYTHON) -m venv .venv
	@$(VENV)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

policy/.venv/ready: policy/requirements.txt
	@$(PYTHON) -m venv policy/.venv
	@policy/.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r policy/requirements.txt
	@touch $@
