#!/bin/sh
# Before each start of k3s: does this node go on, join, found the cluster, or wait? docs/nodes.md has the table.
#
# "First node" is no property that a node keeps. A plain cluster-init on the machine that replaces it would found a second,
# empty cluster beside the living one; so whoever has no data asks the others first.
#
# shellcheck disable=SC2016  # what single quotes keep from the shell is jq's: $parts, $whole, $peer
set -eu
umask 077

root=${ROOT:-}
config=$root/etc/rancher/k3s/config.yaml.d
role=$config/50-role.yaml
data=$root/var/lib/rancher/k3s
token=$root/etc/honeydue/k3s-token
said=

# shellcheck source=/dev/null  # written by cloud-init
. "$root/etc/honeydue/node.env"

# Once, however often it is asked.
say() {
    [ "$1" = "$said" ] || echo "k3s-role: $1" >&2
    said=$1
}

pause() { sleep "${POLL_SECONDS:-5}"; }

# Words of a jq program on the parts of the token. jq reads the file itself: an argument could be read in `ps`, and what it
# quotes is right in YAML and in curl's configuration, whatever stands in a password.
with_token() {
    program='($whole | rtrimstr("\n") | capture("^K10(?<authority>[0-9a-f]{64})::server:(?<password>.+)$")) as $parts | '$1
    shift
    jq --null-input --raw-output --rawfile whole "$token" "$@" "$program"
}

# All of it or nothing: with an empty role k3s would found a cluster of its own.
write() {
    [ -n "$2" ] || return 1
    mkdir -p "$config"
    printf '%s\n' "$2" >"$1.new"
    mv "$1.new" "$1"
}

# The interface is found by its address at each start: its name changes with the type of the machine and the order in which
# interfaces are attached, and flannel on the wrong one cuts the node's pods off.
write_interface() {
    until interface=$(ip -json -4 address show to "$NODE_ADDRESS" | jq --exit-status --raw-output 'first(.[] | .ifname // empty)'); do
        say "waits for an interface with the address $NODE_ADDRESS"
        pause
    done
    write "$config/60-interface.yaml" "flannel-iface: $interface"
}

has_data() {
    case $NODE_ROLE in
    server) [ -d "$data/server/db/etcd" ] ;;
    agent) [ -f "$data/agent/client-ca.crt" ] ;;
    esac
}

# Not through a proxy, and not for ever: a peer that hangs must not keep the node from asking the next one.
ask() { curl --silent --show-error --fail --noproxy '*' --connect-timeout 3 --max-time 10 "$@"; }

# Whether a peer is a server of this very cluster; says why not in $why. Its address alone proves nothing: clouds hand
# addresses out again.
is_ours() {
    why='does not answer'
    ask --insecure --max-filesize 1M --output "$work/server-ca.crt" "https://$1:6443/cacerts" 2>/dev/null || return 1
    why='is a stranger: not the authority that the token names'
    [ "$(sha256sum "$work/server-ca.crt" | cut -d ' ' -f 1)" = "$authority" ] || return 1
    why='does not prove that it has the authority'
    [ "$(ask --cacert "$work/server-ca.crt" "https://$1:6443/ping" 2>/dev/null)" = pong ]
}

# One of the cluster's own authorities, of the answer that a server gives to a server.
keep() { jq --exit-status --raw-output --arg name "$1" '.[$name].Content' "$work/bootstrap.json" | base64 -d >"$work/$2"; }

# An administrator's certificate for a day, signed with the cluster's own key.
sign_certificate() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/O=system:masters/CN=k3s-role:$NODE_NAME" \
        -keyout "$work/client.key" -out "$work/client.csr" &&
        openssl x509 -req -in "$work/client.csr" -CA "$work/client-ca.crt" -CAkey "$work/client-ca.key" -CAcreateserial -days 1 \
            -out "$work/client.crt"
}

# A machine that this one replaces has left its Node behind. With it k3s removes the stale member of etcd, which would count
# for the quorum, and the password of the old node, without which the name may not be used again.
forget_predecessor() {
    why='is ours, but the Node of our predecessor could not be removed'
    with_token '"user = \("server:\($parts.password)" | @json)"' |
        ask --config - --cacert "$work/server-ca.crt" --output "$work/bootstrap.json" "https://$1:6443/v1-k3s/server-bootstrap" || return 1
    keep ClientCA client-ca.crt && keep ClientCAKey client-ca.key || return 1
    sign_certificate 2>"$work/openssl.log" || {
        cat "$work/openssl.log" >&2
        return 1
    }
    # An empty kubeconfig, and a home for kubectl's cache that goes away with the rest.
    KUBECONFIG=/dev/null HOME=$work timeout 180 k3s kubectl --server "https://$1:6443" --certificate-authority "$work/server-ca.crt" \
        --client-certificate "$work/client.crt" --client-key "$work/client.key" \
        delete node "$NODE_NAME" --ignore-not-found --timeout=120s
}

write_interface

if has_data; then
    [ -f "$role" ] || {
        # To ask the others would be to remove a living member of their etcd: our own.
        say "has data of a cluster but no $role: put that file back, or remove $data to join anew"
        exit 1
    }
    say 'has data of its cluster and goes on'
    exit 0
fi

# In memory where systemd gives it a directory there: the authorities' keys pass through it.
work=$(mktemp -d "${RUNTIME_DIRECTORY:-/tmp}/k3s-role.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' HUP INT TERM

authority=$(with_token '$parts.authority')
if [ -z "$authority" ]; then
    say "$token does not hold a token of the form K10<sha256>::server:<password>"
    exit 1
fi

alive=no silent=0
while :; do
    state=''
    for peer in $NODE_PEERS; do
        if is_ours "$peer"; then
            alive=yes
            if forget_predecessor "$peer"; then
                write "$role" "$(with_token '"server: \("https://\($peer):6443" | @json)", "token: \($whole | rtrimstr("\n") | @json)"' --arg peer "$peer")"
                say "joins the cluster through $peer"
                exit 0
            fi
        fi
        state="$state; $peer $why"
    done
    if [ "$NODE_FOUNDS" != yes ] || [ "$alive" = yes ]; then
        say "waits for a server of its cluster$state"
    elif [ "$silent" -lt 2 ]; then
        # Three times in all, lest a moment's silence becomes a second cluster.
        silent=$((silent + 1))
        say "asks again before it founds the cluster$state"
    else
        write "$role" "$(with_token '"cluster-init: true", "token: \($parts.password | @json)"')"
        say "founds the cluster$state"
        exit 0
    fi
    pause
done
