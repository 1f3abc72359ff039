# Process 1 after the change of the root. Words in @ are filled in by machine.py, which also says
# what the ports are.
mkdir -p /dev/pts /dev/shm "/lib/modules/@RELEASE@"
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# As an init system does: without any controller, cgroups do not count perf events either.
echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t securityfs securityfs /sys/kernel/security
ln -s @MODULES@/* "/lib/modules/@RELEASE@" # beside what header packages have there
ln -s /proc/self/fd /dev/fd
echo "linux-@SERIES@" >/proc/sys/kernel/hostname

export @ENVIRONMENT@
cd @DIRECTORY@
echo started >/dev/vport0p2
@COMMAND@
echo "exit $?" >/dev/vport0p2
sync
echo o >/proc/sysrq-trigger
sleep 60
