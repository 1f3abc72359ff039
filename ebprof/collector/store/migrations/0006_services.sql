-- Sums of samples_1h and samples_1d over all series of a service: most questions are about services, and
-- with many nodes these are many times fewer rows. A stack's hours of a day stand together.
CREATE TABLE IF NOT EXISTS services_1h
(
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    type LowCardinality(String),
    service LowCardinality(String),
    stack_id FixedString(16) CODEC(ZSTD),
    value Int64 CODEC(ZSTD)
)
ENGINE = SummingMergeTree(value)
PARTITION BY toMonday(ts)
PRIMARY KEY (type, service, toDate(ts), stack_id)
ORDER BY (type, service, toDate(ts), stack_id, ts)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS services_1d
(
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    type LowCardinality(String),
    service LowCardinality(String),
    stack_id FixedString(16) CODEC(ZSTD),
    value Int64 CODEC(ZSTD)
)
ENGINE = SummingMergeTree(value)
PARTITION BY toYYYYMM(ts)
ORDER BY (type, service, ts, stack_id)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1;

TRUNCATE TABLE services_1h;

TRUNCATE TABLE services_1d;

INSERT INTO services_1h SELECT ts, type, service, stack_id, value FROM samples_1h;

INSERT INTO services_1d SELECT ts, type, service, stack_id, value FROM samples_1d;
