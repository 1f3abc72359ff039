"""What an agent counts about itself."""

from __future__ import annotations

from ebprof.metrics import Metric

PREFIX = "ebprof_agent_"
METRICS = (
    Metric("samples_total", "CPU samples that were taken."),
    Metric("stops_total", "User stacks by stop reason.", "reason"),
    Metric("lost_total", "Samples that were taken and are in no window."),
    Metric("windows_total", "Windows that were closed."),
    Metric("window_samples_total", "Samples in windows that are in the spool or left it."),
    Metric("dropped_samples_total", "Samples of windows that no collector will get.", "reason"),
    Metric("flow_bytes_total", "Bytes of TCP that flows counted.", "direction"),
    Metric("service_bytes_total", "Bytes of TCP by service of this node.", "service,direction"),
    Metric("flow_connections_total", "Connections that flows counted."),
    Metric("flow_counters_total", "What is counted besides flows, losses among it.", "counter"),
    Metric("flow_processes_unread_total", "Processes of flows of which only the name is known."),
    Metric("flow_calls_counted", "1 while sends and receives are counted, 0 while bytes only."),
    Metric("window_flows_total", "Flows in windows that are in the spool or left it."),
    Metric("dropped_flows_total", "Flows of windows that no collector will get.", "reason"),
    Metric("series_joined_total", "Series that were more than a window may have."),
    Metric("cpu_seconds_total", "CPU time of the agent and its helpers; not of BPF programs."),
    Metric("bpf_seconds_total", "Time in BPF programs."),
    Metric("resident_bytes", "Memory of the agent."),
    Metric("frequency", "Samples a second and CPU, as they are taken now."),
    Metric("shed_total", "Times that it looked less closely for want of budget.", "reason"),
    Metric("spool_bytes", "Bytes of the windows that wait to be acknowledged."),
    Metric("spool_files", "Pushes that wait to be acknowledged."),
    Metric("spool_torn_total", "Files of the spool that were torn or damaged."),
    Metric("pushes_total", "Pushes by result: accepted, refused, retried.", "result"),
    Metric("pushes_partly_total", "Accepted pushes of which the receiver left out profiles."),
    Metric("reloads_total", "Times that the file of options was read anew, by result.", "result"),
    Metric("objects_total", "Object files: known to the collector, sent, or why not.", "result"),
    Metric("object_bytes_total", "Bytes of object files that were sent, before they are packed."),
    Metric("objects_waiting", "Object files that the collector has not decided on."),
    Metric("failovers_total", "Times that another collector than the preferred one was turned to."),
)
