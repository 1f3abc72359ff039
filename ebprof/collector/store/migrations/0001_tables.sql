-- Samples as they came. A day is a partition, so that what is too old is dropped as a whole.
CREATE TABLE IF NOT EXISTS samples
(
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    type LowCardinality(String),
    service LowCardinality(String),
    series_id UInt64 CODEC(ZSTD),
    stack_id FixedString(16) CODEC(ZSTD),
    value Int64 CODEC(ZSTD)
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (type, service, toStartOfInterval(ts, INTERVAL 5 MINUTE), series_id, stack_id, ts)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;

-- Samples of an hour and of a day (of UTC), of all containers of a service together.
CREATE TABLE IF NOT EXISTS samples_1h
(
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    type LowCardinality(String),
    service LowCardinality(String),
    rollup_series_id UInt64 CODEC(ZSTD),
    stack_id FixedString(16) CODEC(ZSTD),
    value Int64 CODEC(ZSTD)
)
ENGINE = SummingMergeTree(value)
PARTITION BY toMonday(ts)
ORDER BY (type, service, ts, rollup_series_id, stack_id)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS samples_1d
(
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    type LowCardinality(String),
    service LowCardinality(String),
    rollup_series_id UInt64 CODEC(ZSTD),
    stack_id FixedString(16) CODEC(ZSTD),
    value Int64 CODEC(ZSTD)
)
ENGINE = SummingMergeTree(value)
PARTITION BY toYYYYMM(ts)
ORDER BY (type, service, ts, rollup_series_id, stack_id)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;

-- Frames of a stack, leaf first. day: the last one on which it was sent.
CREATE TABLE IF NOT EXISTS stacks
(
    service LowCardinality(String),
    stack_id FixedString(16) CODEC(ZSTD),
    stop LowCardinality(String),
    frame_ids Array(UInt64) CODEC(ZSTD),
    day Date
)
ENGINE = ReplacingMergeTree(day)
ORDER BY (service, stack_id)
SETTINGS
    index_granularity = 1024,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    materialize_ttl_recalculate_only = 1;

-- What a frame is called. One that came with names has these; one that came as an address in a file
-- with a build ID has a row of a higher version once its names are known.
-- names, system_names, files, lines: innermost inlined call first.
CREATE TABLE IF NOT EXISTS frames
(
    frame_id UInt64,
    module String CODEC(ZSTD),
    build_id String CODEC(ZSTD),
    address UInt64,
    names Array(String) CODEC(ZSTD),
    system_names Array(String) CODEC(ZSTD),
    files Array(String) CODEC(ZSTD),
    lines Array(UInt32) CODEC(ZSTD),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY frame_id
SETTINGS
    index_granularity = 1024,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;

-- Labels of a series, for each day on which it was sent.
CREATE TABLE IF NOT EXISTS series
(
    day Date,
    service LowCardinality(String),
    series_id UInt64,
    rollup_series_id UInt64,
    labels Map(String, String) CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, service, series_id)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;
