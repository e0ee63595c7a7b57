"""Reads blocks with DuckDB and compares every sample, bit for bit, with a file of lines: labels as JSON, time, bits of the value.

What ends a series is no sample for PromQL and left out here; NaN is one whatever its payload is, for JSON has no other."""

import json
import pathlib
import sys

import duckdb
import numpy

STALE, NAN = 0x7FF0000000000002, 0x7FF8000000000000


def main(blocks, expected, sql):
    connection = duckdb.connect()
    connection.execute(pathlib.Path(sql).read_text())
    found = connection.execute("SELECT labels, time_ms, value FROM samples($1)", [blocks + "/*.parquet"]).fetchnumpy()
    values = numpy.ascontiguousarray(numpy.ma.getdata(found["value"]))
    bits = values.view(numpy.uint64).copy()
    kept = bits != STALE
    bits[numpy.isnan(values)] = NAN
    key = lambda labels: json.dumps(dict(labels), sort_keys=True)
    rows = zip(found["labels"][kept], found["time_ms"][kept], bits[kept])
    samples = {(key(labels), int(time)): int(bit) for labels, time, bit in rows}
    lines = [line.split("\t") for line in pathlib.Path(expected).read_text().splitlines()]
    want = {(key(json.loads(labels)), int(time)): int(bit) for labels, time, bit in lines}
    wrong = [(place, want.get(place), samples.get(place)) for place in {**want, **samples} if want.get(place) != samples.get(place)]
    for place, wanted, got in wrong[:10]:
        print(place, "wanted", wanted and hex(wanted), "and DuckDB reads", got and hex(got))
    print(f"{len(samples)} samples of {len({labels for labels, _ in samples})} series in {len(list(pathlib.Path(blocks).glob('*.parquet')))} blocks, {len(wrong)} differ")
    sys.exit(1 if wrong or not samples else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
