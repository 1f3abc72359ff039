-- Call trees of hours and of days that have ended: of a service, and (without a name) of all together.
-- They are made of services_1h and services_1d, without their smallest nodes. value: of all stacks
-- that a tree was made of. As values are never negative, it is true for as long as that is what
-- totals_1h has; more than one row says the same of less.
-- parents: nodes stand by level, the root first, which is its own. stops: nodes that are no frames
-- but the reason for which stacks end, outermost. totals: of a node and all below it. pruned,
-- pruned_nodes: of children that were left out.
CREATE TABLE IF NOT EXISTS trees_1h
(
    ts DateTime('UTC'),
    type LowCardinality(String),
    service LowCardinality(String),
    value Int64,
    incomplete Int64,
    unknown Int64,
    parents Array(UInt32) CODEC(Delta, ZSTD),
    frame_ids Array(UInt64) CODEC(ZSTD),
    stops Map(UInt32, String),
    totals Array(Int64) CODEC(ZSTD),
    pruned Array(Int64) CODEC(ZSTD),
    pruned_nodes Array(Int64) CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(value)
PARTITION BY toMonday(ts)
ORDER BY (type, service, ts)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS trees_1d AS trees_1h
ENGINE = ReplacingMergeTree(value)
PARTITION BY toYYYYMM(ts)
ORDER BY (type, service, ts)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;

-- Sums of services_1h over all stacks.
CREATE TABLE IF NOT EXISTS totals_1h
(
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    type LowCardinality(String),
    service LowCardinality(String),
    value Int64 CODEC(ZSTD)
)
ENGINE = SummingMergeTree(value)
PARTITION BY toMonday(ts)
ORDER BY (type, service, ts)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;

TRUNCATE TABLE totals_1h;

INSERT INTO totals_1h
SELECT ts, type, service, sum(value) FROM services_1h GROUP BY ts, type, service;
