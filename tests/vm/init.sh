#!/bin/busybox sh
# Process 1 of the initramfs: makes the host's files, under a layer to write on that stays in
# memory, the root, and runs /guest there.
b=/bin/busybox

stop() {
	echo "vm: $1" >/dev/kmsg
	echo o >/proc/sysrq-trigger
	$b sleep 60
}

$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
for module in /modules/*; do
	$b insmod "$module" || stop "cannot load a module"
done

# Nobody changes these files while the machine runs, except by hand.
options=ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose
$b mount -t 9p -o "$options" host /host || stop "cannot mount the host's files"
$b mount -t tmpfs -o mode=755 layer /layer
$b mkdir /layer/upper /layer/work
$b mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /root ||
	stop "cannot lay a layer over the host's files"

$b ip link set lo up
$b mount -t proc proc /root/proc
$b mount -t sysfs sys /root/sys
$b mount -t tmpfs -o mode=755 run /root/run
$b cp /guest /root/run/guest
$b mount -o move /dev /root/dev
$b umount /proc
exec $b switch_root /root /bin/bash /run/guest
