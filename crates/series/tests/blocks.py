"""Reads blocks with DuckDB and compares every sample, bit for bit, with a file of lines: labels, time, bits of the value."""

import pathlib
import sys

import duckdb
import numpy


def key(labels):
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def main(blocks, expected, sql):
    connection = duckdb.connect()
    connection.execute(pathlib.Path(sql).read_text())
    found = connection.execute("SELECT labels, time_ms, value FROM samples($1)", [blocks + "/*.parquet"]).fetchnumpy()
    bits = numpy.ascontiguousarray(numpy.ma.getdata(found["value"])).view(numpy.uint64)
    samples = {(key(labels), int(time)): int(bit) for labels, time, bit in zip(found["labels"], found["time_ms"], bits)}
    lines = [line.split("\t") for line in pathlib.Path(expected).read_text().splitlines()]
    want = {(labels, int(time)): int(bit) for labels, time, bit in lines}
    wrong = [(place, want.get(place), samples.get(place)) for place in {**want, **samples} if want.get(place) != samples.get(place)]
    for place, wanted, got in wrong[:10]:
        print(place, "wanted", wanted and hex(wanted), "and DuckDB reads", got and hex(got))
    print(f"{len(samples)} samples, {len(wrong)} differ")
    sys.exit(1 if wrong or not samples else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
