-- The times in each granule of samples. Their primary key says nothing of them to ClickHouse: it ends
-- in ts itself, which is taken for the column that is asked for, and not the five minutes before it.
-- Parts from before get it when they are merged.
ALTER TABLE samples ADD INDEX IF NOT EXISTS times ts TYPE minmax GRANULARITY 1;
