"""Where spans go: by OTLP over HTTP to any collector that speaks it."""

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rag_assets.platform.settings import TelemetrySettings
from rag_assets.platform.telemetry import CONTENT_WANTED, INSTRUMENTATION, TRACER

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

TRACES_PATH = "/v1/traces"
EXPORT_SECONDS = 10.0


def start_tracing(
    settings: TelemetrySettings, exporter: "SpanExporter | None" = None
) -> "TracerProvider | None":
    """Send the spans of this process to the collector of the settings.

    Spans are sent in the background; a collector that is down costs them, and no request anything.
    What is still waiting when the process ends is sent then.

    Args:
        settings: the section ``[telemetry]``.
        exporter: instead of the one to ``otlp_endpoint``.

    Returns:
        The provider; None where no collector is configured.
    """
    if exporter is None and not settings.otlp_endpoint:
        return None
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": settings.service_name,
                "service.version": version("ragline"),
                "service.instance.id": str(os.getpid()),
            }
        )
    )
    provider.add_span_processor(BatchSpanProcessor(exporter or _otlp(settings)))
    setattr(provider, TRACER, provider.get_tracer(INSTRUMENTATION))
    setattr(provider, CONTENT_WANTED, settings.trace_content)
    trace.set_tracer_provider(provider)
    return provider


def traces_endpoint(address: str) -> str:
    """The whole address for traces, from that of a collector or from itself."""
    address = address.rstrip("/")
    return address if address.endswith(TRACES_PATH) else address + TRACES_PATH


def _otlp(settings: TelemetrySettings) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(
        endpoint=traces_endpoint(settings.otlp_endpoint),
        headers={name: value.get_secret_value() for name, value in settings.otlp_headers.items()},
        timeout=EXPORT_SECONDS,
    )
