"""What the collector counts about itself."""

from __future__ import annotations

from ebprof.metrics import Metric

PREFIX = "ebprof_collector_"
METRICS = (
    Metric("pushes_total", "Pushes by result: accepted, or why they were refused.", "result"),
    Metric("push_bytes_total", "Bytes of accepted pushes as they were sent."),
    Metric("profiles_total", "Profiles that were accepted, each once."),
    Metric("stacks_total", "Samples of accepted profiles: stacks with their values."),
    Metric("duplicate_profiles_total", "Profiles that were sent again after they were accepted."),
    Metric("rejected_profiles_total", "Profiles that were left out of accepted exports by OTLP."),
    Metric("flows_total", "Rows of accepted flows, each once."),
    Metric("duplicate_flow_pushes_total", "Pushes of flows that were sent again, and not stored."),
    Metric("flow_losses_total", "What agents could not count of flows, by what they say."),
    Metric("hosts_refused_total", "Requests that called the collector by a name of others."),
    Metric("log_bytes", "Bytes in the log that are not in the store yet, or being removed."),
    Metric("log_limit_bytes", "Bytes of the log at which pushes are refused."),
    Metric("log_segments", "Sealed segments of the log that are not in the store yet."),
    Metric("log_commits_total", "Writes to the log, each with one fsync."),
    Metric("log_cut_bytes_total", "Bytes of torn records that were cut off at the start."),
    Metric("log_oldest_seconds", "Age of the oldest segment that is not in the store yet."),
    Metric("disk_free_bytes", "Bytes that are left on the disk of log and object files."),
    Metric("segments_written_total", "Segments of the log that went to the store."),
    Metric("samples_written_total", "Rows of samples that went to the store."),
    Metric("flows_written_total", "Rows of flows that went to the store."),
    Metric("unreadable_profiles_total", "Accepted profiles that could not be read again: kept."),
    Metric("damaged_bytes_total", "Bytes of the log that have a wrong checksum: kept."),
    Metric("write_failures_total", "Failed attempts to write a segment to the store."),
    Metric("enricher_failures_total", "Failed looks of enrichers at what they read.", "enricher"),
    Metric("enrich_failures_total", "Times that an enricher failed to say what it knows."),
    Metric("store_schema", "Version of the store's tables: the last migration that they had."),
    Metric("store_rows", "Rows of the store's tables on disk, equal ones not merged yet.", "table"),
    Metric("store_bytes", "Bytes of the store's tables on disk.", "table"),
    Metric("store_differences", "Sums of a day that samples do not add up to: see --check."),
    Metric("late_bytes_total", "Bytes of flows that came too late for the rates of services."),
    Metric("rate_edges_joined_total", "Times that an edge was counted as ~other for want of room."),
    Metric("rates_failed_total", "Times that rates of services could not be asked for."),
    Metric("store_ready", "1 while the store answers."),
    Metric("store_restarts_total", "Times that the store's process ended and was started again."),
    Metric(
        "store_ends_total", "How the store's process ended: a signal's name, or exit.", "reason"
    ),
    Metric("reloads_total", "Times that the file of options was read anew, by result.", "result"),
    Metric("objects", "Object files that there are."),
    Metric("object_bytes", "Bytes of object files on disk."),
    Metric("object_limit_bytes", "Bytes of object files beyond which those used least go."),
    Metric("objects_missing", "Objects with addresses that were pushed and without a file."),
    Metric("objects_evicted_total", "Object files that went for want of space."),
    Metric("object_uploads_total", "Object files by result: kept, or why refused.", "result"),
    Metric("object_problems_total", "What cannot be read of object files: the log says what."),
    Metric("debug_dir_files", "Files with a build ID in the directories of --debug-dir."),
    Metric(
        "debug_dir_files_total", "Files of directories: kept, or why they are not used.", "result"
    ),
    Metric(
        "debuginfod_requests_total",
        "Requests to debuginfod servers: found, missing, failed, refused (by us).",
        "result",
    ),
    Metric("debuginfod_received_bytes_total", "Bytes of files that debuginfod servers gave."),
    Metric("object_received_bytes_total", "Bytes of object files that came, unpacked."),
    Metric("lookups_total", "Addresses that were looked up: named, unknown, failed.", "result"),
    Metric("frames_removed_total", "Frames that were removed, as no stack had them any more."),
    Metric("trees_made_total", "Trees of hours and days that were made for flame graphs."),
    Metric("trees_failed_total", "Hours and days of which no tree can be made: the log says why."),
    Metric("queries_total", "Queries by result: answered, refused, failed.", "result"),
)
