#!/bin/sh
# Turns this process into process 1 of a node's machine.
#
# usage: boot.sh ROOT DEBIAN HOSTNAME NAME=FOLDER...
#   ROOT         the folder that becomes the root file system
#   DEBIAN       an unpacked Debian system; its /usr is mounted read-only
#   NAME=FOLDER  a folder to mount at /opt/NAME
#
# The caller has created the namespaces: all kinds but the user namespace. The machine cannot see the file system that
# it was started from. The kernel drops its mounts when its last process ends.
set -eu
root=$1 debian=$2 hostname=$3
shift 3

echo "$hostname" >/proc/sys/kernel/hostname
mount --bind "$root" "$root"
cd "$root"
mkdir -p usr proc sys dev run tmp old
mount --bind -o ro "$debian/usr" usr
for program in "$@"; do
    mkdir -p "opt/${program%%=*}"
    mount --bind -o ro "${program#*=}" "opt/${program%%=*}"
done
for folder in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
chmod 1777 tmp

mount -t proc proc proc
# Most sysctls belong to the host and are therefore read-only. Those below net belong to the network namespace.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,rw proc/sys/net
# The kubelet refuses to start when it cannot set these sysctls: it writes to copies.
for sysctl in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
    kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    copy="run/sysctl-$(basename "$sysctl")"
    cat "proc/sys/$sysctl" >"$copy"
    mount --bind "$copy" "proc/sys/$sysctl"
done

mount -t sysfs sysfs sys
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    # cgroup v2: a group that delegates controllers must not contain processes. Move this one to a leaf.
    mkdir sys/fs/cgroup/init
    echo $$ >sys/fs/cgroup/init/cgroup.procs
else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    sed -n 's/^[0-9]*:\([a-z_,]\{1,\}\):.*/\1/p' /proc/self/cgroup | while read -r controllers; do
        mkdir "sys/fs/cgroup/$controllers"
        mount -t cgroup -o "$controllers" cgroup "sys/fs/cgroup/$controllers"
        # cgroup v1: a hierarchy may have several controllers. runc and the kubelet expect a folder for each of them.
        for controller in $(echo "$controllers" | tr ',' ' '); do
            [ -e "sys/fs/cgroup/$controller" ] || ln -s "$controllers" "sys/fs/cgroup/$controller"
        done
    done
fi

# The kubelet reads out-of-memory kills from kmsg.
for device in null zero full random urandom tty kmsg; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

pivot_root . old
umount -l old
rmdir old
# The kubelet needs shared mount propagation: a running container must see volumes that are mounted later. No mount can
# propagate to the host, because unshare made this mount namespace private.
mount --make-rshared /
# tini reaps orphaned processes, for example containerd's shims after containerd was killed.
exec tini -- sleep infinity
