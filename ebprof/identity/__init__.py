"""Who a process is: name, cgroup, container, pod, unit; of what is sampled and of what talks."""
