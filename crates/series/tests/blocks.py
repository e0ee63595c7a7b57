"""Reads blocks with DuckDB and compares every sample, bit for bit, with a file of lines: labels, time, bits of the value. If there is
a file of what downsampling left out, it compares that too: labels, both times, count, resets, bits of sum, minimum, maximum and loss."""

import pathlib
import sys

import duckdb
import numpy


def key(labels):
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def bits(column):
    return numpy.ascontiguousarray(numpy.ma.getdata(column).astype(numpy.float64)).view(numpy.uint64)


def compare_folds(connection, blocks, expected):
    found = connection.execute("SELECT * FROM folds($1)", [blocks + "/*.parquet"]).fetchnumpy()
    whole = [[str(int(number)) for number in found[name]] for name in ("after_ms", "time_ms", "count", "resets")]
    doubles = [[str(int(bit)) for bit in bits(found[name])] for name in ("sum", "min", "max", "lost")]
    lines = {"\t".join(line) for line in zip(map(key, found["labels"]), *whole, *doubles)}
    want = set(pathlib.Path(expected).read_text().splitlines())
    for line in sorted(want ^ lines)[:10]:
        print("wanted" if line in want else "found", line)
    print(f"{len(lines)} folds, {len(want ^ lines)} differ")
    return bool(want ^ lines) or not lines


def main(blocks, expected, sql, folds=None):
    connection = duckdb.connect()
    connection.execute(pathlib.Path(sql).read_text())
    found = connection.execute("SELECT labels, time_ms, value FROM samples($1)", [blocks + "/*.parquet"]).fetchnumpy()
    values = bits(found["value"])
    samples = {(key(labels), int(time)): int(bit) for labels, time, bit in zip(found["labels"], found["time_ms"], values)}
    lines = [line.split("\t") for line in pathlib.Path(expected).read_text().splitlines()]
    want = {(labels, int(time)): int(bit) for labels, time, bit in lines}
    wrong = [(place, want.get(place), samples.get(place)) for place in {**want, **samples} if want.get(place) != samples.get(place)]
    for place, wanted, got in wrong[:10]:
        print(place, "wanted", wanted and hex(wanted), "and DuckDB reads", got and hex(got))
    print(f"{len(samples)} samples, {len(wrong)} differ")
    bad_folds = folds is not None and compare_folds(connection, blocks, folds)
    sys.exit(1 if wrong or not samples or bad_folds else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
