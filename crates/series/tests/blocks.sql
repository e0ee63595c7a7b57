-- Samples of the blocks at a path (a file or a pattern), from oldest to newest block; see docs/storage-metrics.md.
CREATE OR REPLACE MACRO block_samples(path) AS TABLE
WITH block AS (
    SELECT * FROM read_parquet(path, filename = true, file_row_number = true)
), series AS (
    SELECT s.* EXCLUDE (times), a.times
    FROM block AS s JOIN block AS a ON a.filename = s.filename AND a.file_row_number = s.axis
), steps AS (
    SELECT filename, file_row_number, labels, decimal,
        unnest(range(len(times))) AS place, unnest(times) AS time_ms, unnest(deltas) AS delta
    FROM series WHERE len(decimal) = 3
), decimals AS (
    SELECT filename, file_row_number, labels, place, time_ms,
        (decimal[2] + decimal[3]::HUGEINT * place
            + sum(delta) OVER (PARTITION BY filename, file_row_number ORDER BY place))::DOUBLE / pow(10, decimal[1]) AS value
    FROM steps
), others AS (
    SELECT filename, file_row_number, unnest(exceptions) AS place, unnest(doubles) AS value
    FROM series WHERE len(decimal) = 3
)
SELECT d.filename, d.labels, d.time_ms, CASE WHEN o.place IS NULL THEN d.value ELSE o.value END AS value
FROM decimals AS d LEFT JOIN others AS o USING (filename, file_row_number, place)
UNION ALL
SELECT filename, labels, unnest(times), unnest(doubles) FROM series WHERE len(decimal) = 0;

-- The same without what later writes replaced: the names of blocks ascend in the order of writes.
CREATE OR REPLACE MACRO samples(path) AS TABLE
SELECT labels, time_ms, value FROM block_samples(path)
QUALIFY row_number() OVER (PARTITION BY labels, time_ms ORDER BY filename DESC) = 1;
