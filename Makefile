# Each target first installs what it needs, once. No other target must run before it.
.DEFAULT_GOAL := help
STACK ?= prod
PYTHON ?= python3
VENV := .venv/bin
# Installs the missing programs for a purpose (docs/tools.md).
TOOLS := $(VENV)/python -m tools.install
# Runs a command with an official Pulumi CLI on PATH, or else with the engine that this checkout installs.
OPS := $(VENV)/python -m tools.run python -m ops
# Resources that this plan may delete or replace, with the names that the refusal contains:
# ALLOW_DELETE="Server::hetzner3 PrimaryIp::hetzner3".
ALLOW_DELETE_OPTIONS = $(foreach resource,$(ALLOW_DELETE),--allow-delete $(resource))
# Settings whose new value every node already has, because an operator has changed the nodes by hand:
# NODES_HAVE="honeydue:cluster.k3sVersion".
NODES_HAVE_OPTIONS = $(foreach setting,$(NODES_HAVE),--nodes-have $(setting))
# Resources to replace even if nothing about them changes: REPLACE="Job::migrate".
REPLACE_OPTIONS = $(foreach resource,$(REPLACE),--replace $(resource))
# REFRESH=1 refreshes the state from Hetzner, Cloudflare and the cluster first, so that `up` reverts manual changes.
REFRESH_OPTION = $(if $(REFRESH),--refresh)
# kwok simulates the nodes. NODES=real runs real kubelets, in a separate world named "real".
REHEARSAL := $(VENV)/python -m rehearsal $(if $(filter real,$(NODES)),--world real)
# Image tags, usually commits. API is also the tag of worker unless WORKER is set.
TAGS = $(if $(API),--api $(API)) $(if $(WORKER),--worker $(WORKER)) \
	$(if $(ADMIN),--admin $(ADMIN)) $(if $(WEB),--web $(WEB))

.PHONY: help rehearse rehearse-down test lint unit policy rules worker manifests workflows changed-checkout connectivity diagram \
	dashboard-files dashboards rehearsal-tests real monitoring durability screenshots bench adopt preview up release rollback releases new-volume \
	save-queue mirror require-client-certificate restore-drill restore-database drift status outputs outdated lock tools test-tools

help: ## list all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

rehearse: .venv/ready ## preview and apply production on this machine; NODES=real runs real kubelets (Linux, root), PLUGINS=real the vendors' provider plugins
	@$(REHEARSAL) run $(if $(NODES),--nodes $(NODES)) $(if $(PLUGINS),--plugins $(PLUGINS))

rehearse-down: .venv/ready ## stop the rehearsal, with simulated and with real nodes, and delete every world of this checkout
	@$(VENV)/python -m rehearsal down --all

# Tests that take seconds run before those that take minutes.
test: lint unit policy test-tools rules worker manifests workflows changed-checkout rehearsal-tests ## run all tests except those with real nodes

lint: .venv/ready ## check formatting, style and types
	@$(VENV)/ruff format --check .
	@$(VENV)/ruff check .
	@$(VENV)/mypy .

unit: .venv/ready ## run the tests that need no engine, in seconds
	@$(VENV)/pytest tests/unit --numprocesses 2 --dist loadfile

policy: .venv/ready policy/.venv/ready ## test the CrossGuard policy pack in a separate process, as the engine runs it
	@$(VENV)/pytest tests/policy

rules: .venv/ready ## run the unit tests of the alert rules with vmalert-tool
	@$(TOOLS) rules
	@$(VENV)/pytest tests/rules

worker: .venv/ready ## test the uptime Worker in the runtime of Cloudflare Workers, and check the types of its JavaScript
	@$(TOOLS) worker
	@$(VENV)/pytest tests/worker

manifests: .venv/ready ## check the rendered manifests, the table of allowed connections and the diagram
	@$(TOOLS) manifests diagram
	@$(VENV)/pytest tests/manifests tests/diagram

workflows: .venv/ready ## check the CI workflows with actionlint, and their permissions and secrets
	@$(TOOLS) workflows
	@$(VENV)/pytest tests/workflows

changed-checkout: .venv/ready policy/.venv/ready ## repeat unit, policy, rules, manifests and workflows in a copy with another node, host name and service
	@$(TOOLS) rules manifests diagram workflows
	@$(VENV)/pytest tests/changed_checkout

connectivity: .venv/ready ## rewrite the table of allowed connections after a change of a network policy
	@$(TOOLS) manifests
	@$(VENV)/python -m tests.manifests.connectivity

diagram: .venv/ready ## redraw docs/diagram.svg after a change of the declared resources
	@$(TOOLS) diagram
	@$(VENV)/python -m tests.diagram.generate

dashboard-files: .venv/ready ## rewrite dashboards/generated/ after a change of a dashboard or of an alert's threshold
	@$(VENV)/python -m tests.unit.dashboard_files

rehearsal-tests: .venv/ready policy/.venv/ready ## run the tests with the real engine and a real control plane
	@$(TOOLS) rehearsal-tests
	@$(VENV)/pytest tests/rehearsal --numprocesses 3 --dist loadfile --no-loadscope-reorder

real: .venv/ready ## run the tests with real nodes (kubelets, containers, network policies); needs Linux and root
	@$(TOOLS) nodes manifests worker
	@$(VENV)/pytest tests/real -m "real_nodes and serial and not durability"
	@$(VENV)/pytest tests/real -m "real_nodes and not serial and not monitoring and not durability and not screenshots" --numprocesses 2 \
		--dist loadscope --no-loadscope-reorder

monitoring: .venv/ready ## run the tests with real nodes that wait for alerts, outages and the autoscaler; half an hour
	@$(TOOLS) nodes
	@$(VENV)/pytest tests/real -m monitoring

durability: .venv/ready ## run the tests with real nodes of dumps, restores, images and rollbacks that take minutes
	@$(TOOLS) nodes
	@$(VENV)/pytest tests/real -m durability

screenshots: .venv/ready ## rewrite docs/screenshots/ with the dashboards of real nodes; needs Linux, root and Debian's chromium; half an hour
	@command -v chromium > /dev/null || { echo "Chromium is missing: apt-get install chromium"; exit 1; }
	@$(TOOLS) nodes
	@$(VENV)/pytest tests/real -m screenshots

bench: .venv/ready ## measure a preview and a release, compared with an empty program and the book's script
	@$(TOOLS) rehearsal
	@$(VENV)/python -m bench

adopt: .venv/ready ## import the existing production without changing it; asks for confirmation
	@$(OPS) adopt --stack $(STACK)

preview: .venv/ready ## show what `make up` would change, checked against the guard rails; DIFF=1 shows all values
	@$(OPS) preview --stack $(STACK) $(ALLOW_DELETE_OPTIONS) $(NODES_HAVE_OPTIONS) $(REPLACE_OPTIONS) $(REFRESH_OPTION) \
		$(if $(DIFF),--diff)

up: .venv/ready ## apply the plan; asks for confirmation, and refuses a plan that breaks a guard rail
	@$(OPS) up --stack $(STACK) $(ALLOW_DELETE_OPTIONS) $(NODES_HAVE_OPTIONS) $(REPLACE_OPTIONS) $(REFRESH_OPTION)

release: .venv/ready ## deploy images by the digests of their tags (API=<tag> WORKER=<tag> ADMIN=<tag> WEB=<tag>); asks for confirmation
	@$(OPS) release --stack $(STACK) $(TAGS) $(REFRESH_OPTION)

rollback: .venv/ready ## deploy the previous complete release by digest; refuses if a migration since then forbids it; asks for confirmation
	@$(OPS) rollback --stack $(STACK) $(REFRESH_OPTION)

releases: .venv/ready ## list the complete releases: time, tags, digests, schema and commit
	@$(OPS) releases --stack $(STACK)

save-queue: .venv/ready ## stop worker and redis, and save cache and queue to FILE=<file>; asks for confirmation
	@$(OPS) save-queue --stack $(STACK) $(FILE)

new-volume: .venv/ready ## give an app (APP=redis) a new volume when its disk is lost, or with the saved queue FROM=<file>; asks for confirmation
	@$(OPS) new-volume --stack $(STACK) $(APP) $(if $(DISCARD_DATA),--discard-data) $(if $(FROM),--from $(FROM))

mirror: .venv/ready ## copy the images of the settings to a second registry (TO=<registry>/<path>), by digest; asks for its login, and for confirmation
	@$(OPS) mirror --stack $(STACK) $(if $(TO),--to $(TO))

require-client-certificate: .venv/ready ## require Cloudflare's client certificate from the next `make up` on, if it is in Traefik's access log
	@$(OPS) require-client-certificate --stack $(STACK)

restore-drill: .venv/ready ## restore the newest dump of the database into a scratch server (IDENTITY=<file with the age key>)
	@$(TOOLS) restore
	@$(OPS) restore-drill --stack $(STACK) --identity "$(IDENTITY)" $(if $(FROM),--from $(FROM))

restore-database: .venv/ready ## restore a dump (FROM=<its time>, or latest; IDENTITY=<file with the age key>) into a database; asks for its URL
	@$(TOOLS) restore
	@$(OPS) restore-database --stack $(STACK) --identity "$(IDENTITY)" --from "$(FROM)" $(if $(OVERWRITE),--overwrite)

drift: .venv/ready ## compare production with the declared resources; changes nothing
	@$(OPS) drift --stack $(STACK)

status: .venv/ready ## show nodes, release, pods, migration, snapshots, alerts, certificates and cost; exits with 1 if something is not well
	@$(OPS) status --stack $(STACK)

dashboards: .venv/ready ## write the dashboards to Grafana; shows what changes, and asks for confirmation
	@$(OPS) dashboards --stack $(STACK)

outputs: .venv/ready ## show addresses, URLs, image tags, certificate expiry and cost
	@$(OPS) outputs --stack $(STACK)

outdated: .venv/ready ## list pinned versions that have a newer release
	@$(VENV)/python -m tools.outdated

lock: .venv/ready ## compile requirements*.in to lock files with hashes; UPGRADE=1 takes the newest allowed versions
	@$(TOOLS) lock
	@$(VENV)/python -m tools.lock $(if $(UPGRADE),--upgrade)

tools: .venv/ready ## install the programs of rehearsals and tests; NODES=real: also those of real nodes
	@$(TOOLS) tests $(if $(filter real,$(NODES)),nodes)

# One installation for all tests: packages that several programs share are compiled once, and there is only one wait.
# `make test real` includes the programs of real nodes.
test-tools: .venv/ready
	@$(TOOLS) tests $(if $(filter real,$(MAKECMDGOALS)),nodes)

.venv/ready: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Python %d.%d is too old: install Python 3.11 or newer, or select it with PYTHON=..." % sys.version_info[:2])'
	@# Debian and Ubuntu have a package of its own for it.
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo "This Python cannot create virtual environments: apt install python3-venv"; exit 1; }
	@echo "Installing Python packages from requirements-dev.txt into .venv, once"
	@$(PYTHON) -m venv .venv
	@$(VENV)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

policy/.venv/ready: policy/requirements.txt
	@$(PYTHON) -m venv policy/.venv
	@policy/.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r policy/requirements.txt
	@touch $@
