#!/bin/sh
# Puts the pinned k3s in place, once. A binary that is there stays: the upgrade controller may have brought a newer one, and a
# reboot must not undo that.
set -eu
umask 022

root=${ROOT:-}
releases=${K3S_RELEASES:-https://github.com/k3s-io/k3s/releases/download}
bin=$root/usr/local/bin

# shellcheck source=/dev/null  # written by cloud-init
. "$root/etc/honeydue/node.env"

say() { echo "k3s-install: $*" >&2; }

# The times are seconds. Redirects may not lead away from https.
fetch() {
    curl --silent --show-error --fail --location --proto-redir '=https' --retry 5 --retry-connrefused \
        --connect-timeout 10 --max-time 600 --output "$2" "$release/$1"
}

if [ -x "$bin/k3s" ]; then
    say "$bin/k3s is there and stays"
    exit 0
fi

release=$releases/$(printf '%s' "$K3S_VERSION" | sed 's/+/%2B/')
mkdir -p "$bin"
# Beside its target: the last step is a rename, so that nobody ever meets half a binary.
work=$(mktemp -d "$bin/.k3s-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' HUP INT TERM

expected=$K3S_SHA256
if [ -z "$expected" ]; then
    fetch sha256sum-amd64.txt "$work/sums"
    expected=$(awk '$2 == "k3s" { print $1 }' "$work/sums")
    say "no checksum is pinned; the one that is published with the release: ${expected:-none}"
fi

say "downloads $release/k3s"
fetch k3s "$work/k3s"
actual=$(sha256sum "$work/k3s" | cut -d ' ' -f 1)
if [ "$actual" != "$expected" ]; then
    say "has sha256 $actual and not ${expected:-a published one}: it is not what was chosen, and is not installed"
    # systemd tries again at once, and this is 70 MB.
    sleep "${PAUSE_SECONDS:-60}"
    exit 1
fi
chmod 755 "$work/k3s"
mv "$work/k3s" "$bin/k3s"
for tool in kubectl crictl ctr; do ln -sf k3s "$bin/$tool"; done
say "installed $K3S_VERSION"
