-- Addresses in files that somebody pushed, by file, and by what of it their frames have names: the
-- version of their newest row in `frames`.
CREATE TABLE IF NOT EXISTS addresses
(
    build_id LowCardinality(String),
    address UInt64 CODEC(Delta, ZSTD),
    frame_id UInt64,
    module LowCardinality(String),
    version UInt64 CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (build_id, address)
SETTINGS
    index_granularity = 1024,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;

INSERT INTO addresses
SELECT build_id, address, frame_id, module, version
FROM frames FINAL
WHERE build_id != '' AND address != 0;
