"""Who a process is: name, cgroup, container; of what is sampled and of what talks."""
