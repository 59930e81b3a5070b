#!/bin/sh
# Decides before each start of k3s whether this node continues, joins the cluster, bootstraps it or waits. docs/nodes.md
# has the table.
#
# A node is not the init node forever. If the machine that replaces it ran `cluster-init`, it would create a second,
# empty cluster in addition to the running one. A node without data therefore asks the other servers first.
#
# shellcheck disable=SC2016  # the single-quoted $parts, $file, $user and $peer are variables of jq
set -eu
umask 077

root=${ROOT:-}
config=$root/etc/rancher/k3s/config.yaml.d
role=$config/50-role.yaml
data=$root/var/lib/rancher/k3s
token=$root/etc/honeydue/k3s-token
last_message=

# shellcheck source=/dev/null  # written by cloud-init
. "$root/etc/honeydue/node.env"

# Logs a message, unless it is the same as the one before.
log() {
    [ "$1" = "$last_message" ] || echo "k3s-role: $1" >&2
    last_message=$1
}

# Ends with a message in the journal and on the console, which Hetzner shows in the browser. systemd tries again.
fail() {
    log "$1"
    [ ! -w "$root/dev/console" ] || echo "k3s-role: $1" >>"$root/dev/console"
    exit 1
}

pause() { sleep "${POLL_SECONDS:-5}"; }

# Evaluates a jq expression with the parts of the token. jq reads the file itself, because `ps` shows arguments. What jq
# quotes is valid in YAML and in curl's configuration, whatever the password contains.
with_token() {
    expression='($file | rtrimstr("\n") | capture("^K10(?<ca>[0-9a-f]{64})::server:(?<password>.+)$")) as $parts | '$1
    shift
    jq --null-input --raw-output --rawfile file "$token" "$@" "$expression"
}

# Atomic, and never empty: with an empty role, k3s would bootstrap a new cluster.
write() {
    [ -n "$2" ] || return 1
    mkdir -p "$config"
    printf '%s\n' "$2" >"$1.new"
    mv "$1.new" "$1"
}

# Looks up the interface by its address at each start. Its name depends on the server type and on the order in which
# interfaces are attached, and flannel on the wrong interface disconnects the pods of the node. A private network is
# attached after the first boot has started.
write_interface() {
    attempts=${ADDRESS_ATTEMPTS:-60}
    until interface=$(ip -json -4 address show to "$NODE_ADDRESS" |
        jq --exit-status --raw-output 'first(.[] | .ifname // empty)'); do
        log "waits for an interface with the address $NODE_ADDRESS"
        attempts=$((attempts - 1))
        if [ "$attempts" -le 0 ]; then
            fail "no interface has the address $NODE_ADDRESS: attach this server to the private network at Hetzner"
        fi
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

# Without a proxy and with a timeout: a peer that hangs must not keep the node from trying the next one.
request() { curl --silent --show-error --fail --noproxy '*' --connect-timeout 3 --max-time 10 "$@"; }

# Whether a peer is a server of this cluster; if not, $reason says why. The address alone is no proof, because clouds
# reassign addresses.
is_member() {
    reason='does not answer'
    request --insecure --max-filesize 1M --output "$work/server-ca.crt" "https://$1:6443/cacerts" 2>/dev/null ||
        return 1
    reason='belongs to another cluster: its CA is not the one in the token'
    [ "$(sha256sum "$work/server-ca.crt" | cut -d ' ' -f 1)" = "$ca" ] || return 1
    reason='has no certificate of the CA that it presents'
    [ "$(request --cacert "$work/server-ca.crt" "https://$1:6443/ping" 2>/dev/null)" = pong ]
}

# Requests a path of k3s from a peer, as the user `server` or `node`. Both have the password of the token.
request_with_token() {
    with_token '"user = \("\($user):\($parts.password)" | @json)"' --arg user "$2" |
        request --config - --cacert "$work/server-ca.crt" --output "$work/$3" "https://$1:6443/v1-k3s/$4"
}

# Reads the options that all servers must share, because k3s refuses a server that differs. The values of the running
# servers override those of the settings, which can be out of date. Each line is valid YAML.
read_shared_options() {
    [ "$NODE_ROLE" = server ] || return 0
    reason='is a server of this cluster, but does not return its configuration'
    request_with_token "$1" node config.json config || return 1
    # `input` fails for an empty response. A server of an older version does not return every option.
    shared_options=$(jq --null-input --raw-output --argjson options "$NODE_SHARED_OPTIONS" '
        input as $config | $options | to_entries[] | $config[.key] as $value | select($value != null and $value != "") |
        (.value / "=") as [$name, $component] |
        "\($name): \(if $component == null then $value elif $value then [$component] else [] end | @json)"
    ' "$work/config.json")
}

# Extracts one CA file from the bootstrap data, which k3s servers send to each other.
extract() {
    jq --exit-status --raw-output --arg name "$1" '.[$name].Content' "$work/bootstrap.json" | base64 -d >"$work/$2"
}

# Signs an administrator's certificate with the client CA of the cluster, valid for a day.
sign_certificate() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "/O=system:masters/CN=k3s-role:$NODE_NAME" -keyout "$work/client.key" -out "$work/client.csr" &&
        openssl x509 -req -in "$work/client.csr" -CA "$work/client-ca.crt" -CAkey "$work/client-ca.key" \
            -CAcreateserial -days 1 -out "$work/client.crt"
}

# The machine that this one replaces has left its Node object. When it is deleted, k3s removes the stale member of etcd,
# which would count for the quorum, and the stored node password, without which the name cannot be used again.
delete_predecessor() {
    reason='is a server of this cluster, but the Node of the predecessor could not be removed'
    request_with_token "$1" server bootstrap.json server-bootstrap || return 1
    extract ClientCA client-ca.crt && extract ClientCAKey client-ca.key || return 1
    sign_certificate 2>"$work/openssl.log" || {
        cat "$work/openssl.log" >&2
        return 1
    }
    # An empty kubeconfig, and a home directory for kubectl's cache that is removed at the end.
    KUBECONFIG=/dev/null HOME=$work timeout 180 k3s kubectl --server "https://$1:6443" \
        --certificate-authority "$work/server-ca.crt" --client-certificate "$work/client.crt" \
        --client-key "$work/client.key" delete node "$NODE_NAME" --ignore-not-found --timeout=120s
}

write_interface

if has_data; then
    [ -f "$role" ] || {
        # Joining would remove a live member of etcd: this node itself.
        fail "has data of a cluster but no $role: restore that file, or remove $data to join again"
    }
    log 'has data of its cluster and continues'
    exit 0
fi

# In memory, if systemd provides a directory there: it contains the keys of the CAs for a moment.
work=$(mktemp -d "${RUNTIME_DIRECTORY:-/tmp}/k3s-role.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' HUP INT TERM

ca=$(with_token '$parts.ca')
if [ -z "$ca" ]; then
    fail "$token does not hold a token of the form K10<sha256>::server:<password>"
fi

cluster_exists=no failed_rounds=0 shared_options=''
while :; do
    state=''
    for peer in $NODE_PEERS; do
        if is_member "$peer"; then
            cluster_exists=yes
            if read_shared_options "$peer" && delete_predecessor "$peer"; then
                join='"server: \("https://\($peer):6443" | @json)", "token: \($file | rtrimstr("\n") | @json)"'
                join="$join, (\$options | select(. != \"\"))"
                write "$role" "$(with_token "$join" --arg peer "$peer" --arg options "$shared_options")"
                log "joins the cluster through $peer"
                exit 0
            fi
        fi
        state="$state; $peer $reason"
    done
    if [ "$NODE_CLUSTER_INIT" != yes ] || [ "$cluster_exists" = yes ]; then
        log "waits for a server of its cluster$state"
    elif [ "$failed_rounds" -lt 2 ]; then
        # Three rounds in total, so that a short interruption does not create a second cluster.
        failed_rounds=$((failed_rounds + 1))
        log "asks again before it bootstraps the cluster$state"
    else
        write "$role" "$(with_token '"cluster-init: true", "token: \($parts.password | @json)"')"
        log "bootstraps the cluster$state"
        exit 0
    fi
    pause
done
