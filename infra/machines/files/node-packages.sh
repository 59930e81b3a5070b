#!/bin/sh
# Installs the packages that the first boot did not install. cloud-init tries once, and a mirror or a DNS server that
# fails at that moment would leave the node without the programs of the other scripts.
set -eu

root=${ROOT:-}
export DEBIAN_FRONTEND=noninteractive

# shellcheck source=/dev/null  # written by cloud-init
. "$root/etc/honeydue/node.env"

# To the journal, and to the console, which Hetzner shows in the browser.
log() {
    echo "node-packages: $1" >&2
    [ ! -w "$root/dev/console" ] || echo "node-packages: $1" >>"$root/dev/console"
}

# Prints those of the given packages that are not installed.
missing() {
    for package; do
        # shellcheck disable=SC2016  # a variable of dpkg-query
        [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            printf ' %s' "$package"
    done
}

# Another apt may be running: Ubuntu starts its daily upgrade at boot. `dpkg --configure` completes an interrupted
# installation. Without `--error-on`, `update` succeeds although no mirror responds.
install() {
    dpkg --configure -a && apt-get --option DPkg::Lock::Timeout=300 update --error-on=any &&
        apt-get --option DPkg::Lock::Timeout=300 install --yes "$@"
}

delay=${RETRY_SECONDS:-5} attempts=6
# shellcheck disable=SC2086  # lists of names
while packages=$(missing $NODE_PACKAGES) && [ -n "$packages" ]; do
    if output=$(install $packages 2>&1); then
        log "installed$packages"
        exit 0
    fi
    cause="$(printf '%s\n' "$output" | grep '^E: ' | head -n 1)"
    message="these packages could not be installed:$packages; ${cause:-$(printf '%s\n' "$output" | tail -n 1)}"
    if [ -z "$(missing $REQUIRED_PACKAGES)" ]; then
        # A running node must not depend on a mirror for a package that only operators use.
        log "$message. k3s starts without them; the next start of k3s tries again"
        exit 0
    fi
    attempts=$((attempts - 1))
    if [ "$attempts" -le 0 ]; then
        log "$message. k3s does not start without them; systemd tries again"
        exit 1
    fi
    log "$message. k3s does not start without them; the next attempt is in $delay s"
    sleep "$delay"
    delay=$((delay * 2))
done
