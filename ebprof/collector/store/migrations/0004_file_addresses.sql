-- Addresses as before, by frame too: the path of a file is a part of what a frame is, so that an
-- address has as many frames as the file has paths.
CREATE TABLE IF NOT EXISTS file_addresses
(
    build_id LowCardinality(String),
    address UInt64 CODEC(Delta, ZSTD),
    frame_id UInt64,
    module LowCardinality(String),
    version UInt64 CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (build_id, address, frame_id)
SETTINGS
    index_granularity = 1024,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;

INSERT INTO file_addresses SELECT build_id, address, frame_id, module, version FROM addresses FINAL;
