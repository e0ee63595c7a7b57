"""Sends metrics with the clients that people use: python push.py CLIENT HOST:PORT|URL. Prints the second of the first sample."""
import sys
import time

client, target = sys.argv[1], sys.argv[2]
base = int(time.time()) - 60
host, port = (target.rsplit(":", 1) + [""])[:2] if "//" not in target else ("", "")

if client == "influxdb":
    from influxdb import InfluxDBClient

    url = target.removeprefix("http://")
    influx = InfluxDBClient(url.split(":")[0], int(url.split(":")[1]), database="shop", gzip=True)
    assert influx.ping() == "1.8.10", influx.ping()
    influx.create_database("shop")
    assert influx.get_list_database() == []
    points = [
        {"measurement": "cart", "tags": {"region": "eu west", "q": "a=b,c"}, "time": (base + i) * 10**9,
         "fields": {"items": i, "total": i + 0.5, "open": i % 2 == 0, "note": "text \"quoted\"\nover two lines"}}
        for i in range(50)
    ]
    assert influx.write_points(points)
    try:
        influx.write(f"broken\ncart v=1 {base}000000000\n", params={"db": "shop"}, protocol="line")
        raise SystemExit("a broken line must be told")
    except Exception as error:
        assert "unable to parse 'broken': missing fields" in str(error), error
elif client == "influxdb-client":
    from influxdb_client import InfluxDBClient, Point, WritePrecision
    from influxdb_client.client.write_api import SYNCHRONOUS

    with InfluxDBClient(url=target, token="any", org="shop", enable_gzip=True) as influx:
        assert influx.ping()
        write = influx.write_api(write_options=SYNCHRONOUS)
        write.write(bucket="b", record=[
            Point("orders").tag("kind", "web,phone").field("n", i).time(base + i, WritePrecision.S) for i in range(50)
        ], write_precision=WritePrecision.S)
elif client in ("statsd-udp", "statsd-tcp"):
    import statsd

    make = statsd.StatsClient if client == "statsd-udp" else statsd.TCPStatsClient
    stats = make(host, int(port), prefix="py")
    for i in range(50):
        stats.incr("hits", 2)
        stats.timing("load", 320)
    stats.gauge("queue", 40)
    stats.gauge("queue", -15, delta=True)
    stats.set("users", "ann")
    stats.set("users", "bob")
    stats.close()
elif client == "datadog":
    from datadog.dogstatsd import DogStatsd

    stats = DogStatsd(host=host, port=int(port), constant_tags=["env:prod"])
    for i in range(50):
        stats.increment("dog.hits", tags=["kind:web" if i % 5 else "kind:phone"])
        stats.distribution("dog.size", i + 1, tags=["beta"])
    stats.gauge("dog.temp", 21.5)
    stats.event("Deploy", "cart v2\nwent out", alert_type="error", tags=["service:cart"])
    stats.service_check("db.up", stats.CRITICAL, tags=["shard:3"], message="no answer")
    stats.flush()
elif client == "pickle":
    import pickle
    import socket
    import struct

    with socket.create_connection((host, int(port))) as stream:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            points = [(f"pickle.p{protocol};i={i}", (base + i, i + 0.5)) for i in range(10)]
            message = pickle.dumps(points, protocol=protocol)
            stream.sendall(struct.pack("!L", len(message)) + message)
elif client.startswith("otel-"):
    from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
    from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
    from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
    from opentelemetry.sdk.resources import Resource

    if client == "otel-http":
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        options = {"endpoint": target + "/v1/metrics"}
    else:
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

        options = {"endpoint": target, "insecure": True}
    delta = AggregationTemporality.DELTA
    exporter = OTLPMetricExporter(preferred_temporality={Counter: delta, Histogram: delta}, **options)
    provider = MeterProvider(
        resource=Resource.create({"service.name": client, "os.type": "linux"}),
        metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)],
        views=[View(instrument_name="order.size", aggregation=ExponentialBucketHistogramAggregation())],
    )
    meter = provider.get_meter("shop.meter", "0.1")
    counter, size = meter.create_counter("orders"), meter.create_histogram("order.size", unit="By")
    duration = meter.create_histogram("order.duration", unit="s")
    for _ in range(3):
        for i in range(50):
            counter.add(1, {"kind": "web"})
            size.record(2.0 ** (i % 10))
            duration.record(i / 10)
        assert provider.force_flush(), "the exporter could not send"
        time.sleep(0.01)
    provider.shutdown()
else:
    raise SystemExit(f"no client {client}")
print(base)
