-- What the rows of the blocks at a path (a file or a pattern) hold, from oldest to newest block; see docs/storage-metrics.md.
CREATE OR REPLACE MACRO block_values(path) AS TABLE
WITH block AS (
    SELECT * FROM read_parquet(path, filename = true, file_row_number = true, union_by_name = true)
    -- Only blocks with downsampled series have these.
    UNION ALL BY NAME SELECT NULL::VARCHAR AS aggregate, NULL::BIGINT AS resolution_ms WHERE false
), series AS (
    SELECT s.* REPLACE (coalesce(s.aggregate, 'sample') AS aggregate, a.times AS times)
    FROM block AS s JOIN block AS a ON a.filename = s.filename AND a.file_row_number = s.axis
), steps AS (
    SELECT filename, file_row_number, labels, aggregate, decimal,
        unnest(range(len(times))) AS place, unnest(times) AS time_ms, unnest(deltas) AS delta
    FROM series WHERE len(decimal) = 3
), decimals AS (
    SELECT filename, file_row_number, labels, aggregate, place, time_ms,
        (decimal[2] + decimal[3]::HUGEINT * place
            + sum(delta) OVER (PARTITION BY filename, file_row_number ORDER BY place))::DOUBLE / pow(10, decimal[1]) AS value
    FROM steps
), others AS (
    SELECT filename, file_row_number, unnest(exceptions) AS place, unnest(doubles) AS value
    FROM series WHERE len(decimal) = 3
)
SELECT d.filename, d.labels, d.aggregate, d.time_ms, CASE WHEN o.place IS NULL THEN d.value ELSE o.value END AS value
FROM decimals AS d LEFT JOIN others AS o USING (filename, file_row_number, place)
UNION ALL
SELECT filename, labels, aggregate, unnest(times), unnest(doubles) FROM series WHERE len(decimal) = 0;

-- Samples, without what later writes replaced: the names of blocks ascend in the order of writes.
CREATE OR REPLACE MACRO samples(path) AS TABLE
SELECT labels, time_ms, value FROM block_values(path) WHERE aggregate = 'sample'
QUALIFY row_number() OVER (PARTITION BY labels, time_ms ORDER BY filename DESC) = 1;

CREATE OR REPLACE MACRO smaller(a, b) AS CASE WHEN isnan(a) THEN b WHEN isnan(b) THEN a ELSE least(a, b) END;
CREATE OR REPLACE MACRO larger(a, b) AS CASE WHEN isnan(a) THEN b WHEN isnan(b) THEN a ELSE greatest(a, b) END;

-- Of downsampled series: what was left out between a sample and the one before it.
CREATE OR REPLACE MACRO folds(path) AS TABLE
WITH wide AS (
    SELECT filename, labels, time_ms,
        any_value(value) FILTER (aggregate = 'sample') AS value, any_value(value) FILTER (aggregate = 'count') AS count,
        any_value(value) FILTER (aggregate = 'sum') AS sum, any_value(value) FILTER (aggregate = 'min') AS min,
        any_value(value) FILTER (aggregate = 'max') AS max, any_value(value) FILTER (aggregate = 'resets') AS resets,
        any_value(value) FILTER (aggregate = 'lost') AS lost
    FROM block_values(path) GROUP BY filename, labels, time_ms
), placed AS (
    SELECT *, lag(time_ms) OVER along AS after_ms, lag(value) OVER along AS before
    FROM wide WINDOW along AS (PARTITION BY filename, labels ORDER BY time_ms)
)
SELECT labels, after_ms, time_ms, count::BIGINT AS count, sum, coalesce(min, smaller(before, value)) AS min,
    coalesce(max, larger(before, value)) AS max, coalesce(resets, 0)::BIGINT AS resets, coalesce(lost, 0) AS lost
FROM placed WHERE count > 0;
