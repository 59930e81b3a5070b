#!/bin/sh
# Makes a machine of this process: boot.sh ROOT DEBIAN HOSTNAME NAME=FOLDER..., in new namespaces of everything but the user.
# The machine sees its own root file system and nothing of the one it was started from; all mounts go with its last process.
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
for scratch in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$scratch"; done
chmod 1777 tmp

mount -t proc proc proc
# What is set there is the whole machine's, not this node's: read-only, but for what the kernel keeps per network.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,rw proc/sys/net
# These the kubelet insists on setting: it gets copies.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    copy="run/sysctl-$(basename "$setting")"
    cat "proc/sys/$setting" >"$copy"
    mount --bind "$copy" "proc/sys/$setting"
done

mount -t sysfs sysfs sys
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    # Of the second version a group with controllers holds no process itself.
    mkdir sys/fs/cgroup/init
    echo $$ >sys/fs/cgroup/init/cgroup.procs
else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    sed -n 's/^[0-9]*:\([a-z_,]\{1,\}\):.*/\1/p' /proc/self/cgroup | while read -r controllers; do
        mkdir "sys/fs/cgroup/$controllers"
        mount -t cgroup -o "$controllers" cgroup "sys/fs/cgroup/$controllers"
        # runc and the kubelet look for each controller by its own name.
        for one in $(echo "$controllers" | tr ',' ' '); do
            [ -e "sys/fs/cgroup/$one" ] || ln -s "$controllers" "sys/fs/cgroup/$one"
        done
    done
fi

# Of kmsg the kubelet reads who was killed for want of memory.
for device in null zero full random urandom tty kmsg; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
for number in 0 1 2; do ln -s "/proc/self/fd/$number" "dev/$(echo stdin stdout stderr | cut -d' ' -f$((number + 1)))"; done
ln -s /proc/self/fd dev/fd

pivot_root . old
umount -l old
rmdir old
# The kubelet's volumes are seen by containers that were there before; no mount leaves this namespace, which was made private.
mount --make-rshared /
# Collects the shims whose containerd was killed, as any first process of a machine does.
exec tini -- sleep infinity
