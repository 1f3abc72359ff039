-- What is in the temporary table `chosen` and not in `largest`.
SELECT
    (SELECT sum(value) FROM chosen) - (SELECT sum(value) FROM largest) AS value,
    (SELECT count() FROM chosen) - (SELECT count() FROM largest) AS stacks
