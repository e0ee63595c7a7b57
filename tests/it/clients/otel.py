"""Sends logs, metrics and traces with OpenTelemetry's own SDK, over HTTP or gRPC, and prints what it sent as JSON."""
import json
import logging
import sys

from opentelemetry.sdk.resources import Resource

protocol, endpoint = sys.argv[1], sys.argv[2]
if protocol == "http":
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    logs = OTLPLogExporter(endpoint=endpoint + "/v1/logs", compression=Compression.Gzip)
    metrics_exporter = OTLPMetricExporter(endpoint=endpoint + "/v1/metrics")
    spans = OTLPSpanExporter(endpoint=endpoint + "/v1/traces")
else:
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    logs = OTLPLogExporter(endpoint=endpoint, insecure=True, compression=Compression.Gzip)
    metrics_exporter = OTLPMetricExporter(endpoint=endpoint, insecure=True)
    spans = OTLPSpanExporter(endpoint=endpoint, insecure=True)

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

service = "py-" + protocol
resource = Resource.create({"service.name": service, "service.version": "1.2.3", "host.name": "py-host"})

tracer_provider = TracerProvider(resource=resource)
tracer_provider.add_span_processor(BatchSpanProcessor(spans))
tracer = tracer_provider.get_tracer("shop.tracer", "0.1")

logger_provider = LoggerProvider(resource=resource)
logger_provider.add_log_record_processor(BatchLogRecordProcessor(logs))
handler = LoggingHandler(level=logging.NOTSET, logger_provider=logger_provider)
logger = logging.getLogger("shop.orders")
logger.addHandler(handler)
logger.setLevel(logging.DEBUG)

sent = []
LEVELS = [("DEBUG", logging.DEBUG), ("INFO", logging.INFO), ("WARN", logging.WARNING), ("ERROR", logging.ERROR), ("FATAL", logging.CRITICAL)]
for i in range(50):
    severity, level = LEVELS[i % len(LEVELS)]
    with tracer.start_as_current_span(f"order-{i}") as span:
        context = span.get_span_context()
        span.set_attribute("order.id", i)
        attributes = {"order.id": i, "order.total": i + 0.25, "order.paid": i % 2 == 0, "customer.name": f"Zoë {i} 客户", "tags": ["a", "b"]}
        body = f"order {i} \"quoted\" über 日志"
        logger.log(level, body, extra=attributes)
        sent.append({
            "body": body,
            "severity": severity,
            "trace_id": format(context.trace_id, "032x"),
            "span_id": format(context.span_id, "016x"),
            "service.name": service,
            "service.version": "1.2.3",
            "host.name": "py-host",
            "scope.name": "shop.orders",
            **attributes,
        })

meter_provider = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(metrics_exporter, export_interval_millis=3_600_000)])
meter = meter_provider.get_meter("shop.meter")
counter = meter.create_counter("orders", unit="1", description="Orders taken.")
histogram = meter.create_histogram("order.duration", unit="s")
for i in range(50):
    counter.add(1, {"kind": "web" if i % 5 else "phone"})
    histogram.record(i / 10)

for provider in (logger_provider, tracer_provider, meter_provider):
    assert provider.force_flush(), "the exporter could not send"
    provider.shutdown()
print(json.dumps(sent))
