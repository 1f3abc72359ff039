-- Flows of a window, by process and by process at the other end. ts: when the window began. local,
-- peer: addresses; port: the server's. Texts are empty and numbers 0 where nothing is known.
CREATE TABLE IF NOT EXISTS flows
(
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    node LowCardinality(String),
    service LowCardinality(String),
    process LowCardinality(String),
    pid UInt32 CODEC(ZSTD),
    container LowCardinality(String),
    pod LowCardinality(String),
    cgroup LowCardinality(String),
    unit LowCardinality(String),
    role LowCardinality(String),
    family UInt8 CODEC(ZSTD),
    local LowCardinality(String),
    peer String CODEC(ZSTD),
    port UInt16 CODEC(ZSTD),
    peer_service LowCardinality(String),
    peer_process LowCardinality(String),
    peer_pid UInt32 CODEC(ZSTD),
    peer_container LowCardinality(String),
    peer_pod LowCardinality(String),
    tx_bytes Int64 CODEC(ZSTD),
    rx_bytes Int64 CODEC(ZSTD),
    tx_calls Int64 CODEC(ZSTD),
    rx_calls Int64 CODEC(ZSTD),
    connections Int64 CODEC(ZSTD),
    closed Int64 CODEC(ZSTD),
    retransmits Int64 CODEC(ZSTD),
    rtt_sum Int64 CODEC(ZSTD),
    rtt_count Int64 CODEC(ZSTD),
    refused Int64 CODEC(ZSTD),
    timeout Int64 CODEC(ZSTD),
    unreachable Int64 CODEC(ZSTD),
    reset Int64 CODEC(ZSTD),
    cancelled Int64 CODEC(ZSTD),
    other Int64 CODEC(ZSTD)
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
PRIMARY KEY (service, toStartOfInterval(ts, INTERVAL 5 MINUTE))
ORDER BY (
    service, toStartOfInterval(ts, INTERVAL 5 MINUTE),
    node, pid, process, role, port, peer_service, peer_pid, peer, local, ts
)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;

-- Flows of an hour (of UTC), of all processes, containers and pods of a service together.
CREATE TABLE IF NOT EXISTS flows_1h
(
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    node LowCardinality(String),
    service LowCardinality(String),
    process LowCardinality(String),
    unit LowCardinality(String),
    role LowCardinality(String),
    family UInt8 CODEC(ZSTD),
    local LowCardinality(String),
    peer String CODEC(ZSTD),
    port UInt16 CODEC(ZSTD),
    peer_service LowCardinality(String),
    peer_process LowCardinality(String),
    tx_bytes Int64 CODEC(ZSTD),
    rx_bytes Int64 CODEC(ZSTD),
    tx_calls Int64 CODEC(ZSTD),
    rx_calls Int64 CODEC(ZSTD),
    connections Int64 CODEC(ZSTD),
    closed Int64 CODEC(ZSTD),
    retransmits Int64 CODEC(ZSTD),
    rtt_sum Int64 CODEC(ZSTD),
    rtt_count Int64 CODEC(ZSTD),
    refused Int64 CODEC(ZSTD),
    timeout Int64 CODEC(ZSTD),
    unreachable Int64 CODEC(ZSTD),
    reset Int64 CODEC(ZSTD),
    cancelled Int64 CODEC(ZSTD),
    other Int64 CODEC(ZSTD)
)
ENGINE = SummingMergeTree
PARTITION BY toMonday(ts)
PRIMARY KEY (service, ts)
ORDER BY (
    service, ts,
    node, process, unit, role, port, peer_service, peer_process, peer, local, family
)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;
