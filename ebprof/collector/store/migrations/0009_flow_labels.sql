-- Labels that enrichers add to flows, as JSON with sorted names; empty where there is none. Labels of
-- the other end begin with peer_. What differs in labels only is not added up.
ALTER TABLE flows ADD COLUMN IF NOT EXISTS labels LowCardinality(String) AFTER peer_pod;

ALTER TABLE flows_1h
    ADD COLUMN IF NOT EXISTS labels LowCardinality(String) AFTER peer_process,
    MODIFY ORDER BY (
        service, ts,
        node, process, unit, role, port, peer_service, peer_process, peer, local, family, labels
    );

-- Names of labels that flows have, for each day on which they were written.
CREATE TABLE IF NOT EXISTS flow_labels
(
    day Date,
    name LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (name, day)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    materialize_ttl_recalculate_only = 1;
