#!/bin/sh
# Installs the pinned k3s once. An installed binary stays: the upgrade controller may have installed a newer version,
# and a reboot must not undo that.
set -eu
umask 022

root=${ROOT:-}
releases=${K3S_RELEASES:-https://github.com/k3s-io/k3s/releases/download}
bin=$root/usr/local/bin

# shellcheck source=/dev/null  # written by cloud-init
. "$root/etc/honeydue/node.env"

# To the journal, and to the console, which Hetzner shows in the browser.
log() {
    echo "k3s-install: $1" >&2
    [ ! -w "$root/dev/console" ] || echo "k3s-install: $1" >>"$root/dev/console"
}

# Times are in seconds. Redirects must stay on https.
fetch() {
    curl --silent --show-error --fail --location --proto-redir '=https' --retry 5 --retry-connrefused \
        --connect-timeout 10 --max-time 600 --output "$2" "$release/$1" 2>"$work/error" || {
        log "$release/$1 could not be downloaded: $(tail -n 1 "$work/error"); systemd tries again"
        exit 1
    }
}

if [ -x "$bin/k3s" ]; then
    log "$bin/k3s is already installed"
    exit 0
fi

release=$releases/$(printf '%s' "$K3S_VERSION" | sed 's/+/%2B/')
mkdir -p "$bin"
# On the same file system as the target: the last step is a rename, so the binary is never incomplete.
work=$(mktemp -d "$bin/.k3s-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' HUP INT TERM

expected=$K3S_SHA256
if [ -z "$expected" ]; then
    fetch sha256sum-amd64.txt "$work/sums"
    expected=$(awk '$2 == "k3s" { print $1 }' "$work/sums")
    log "no checksum is pinned; using the one that is published with the release: ${expected:-none}"
fi

log "downloading $release/k3s"
fetch k3s "$work/k3s"
actual=$(sha256sum "$work/k3s" | cut -d ' ' -f 1)
if [ "$actual" != "$expected" ]; then
    log "checksum mismatch: sha256 is $actual, expected ${expected:-a published one}; k3s was not installed"
    # systemd retries immediately, and this is a download of 70 MB.
    sleep "${PAUSE_SECONDS:-60}"
    exit 1
fi
chmod 755 "$work/k3s"
mv "$work/k3s" "$bin/k3s"
for tool in kubectl crictl ctr; do ln -sf k3s "$bin/$tool"; done
log "installed $K3S_VERSION"
