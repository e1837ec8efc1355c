//! Structured logs on standard output; traces and metrics over OTLP when an endpoint is set; metrics for Prometheus when a port is.

mod libraries;
mod panics;

use std::io::IsTerminal as _;

use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
    propagation::TraceContextPropagator,
    trace::SdkTracerProvider,
};
use prometheus::{Registry, process_collector::ProcessCollector};
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::Env;

/// How a process tells what it does.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// `RUST_LOG` syntax. Libraries write less than it says where they would repeat what goes through them.
    pub filter: String,
    /// One JSON object a line; otherwise text for people.
    pub json: bool,
    /// The OTLP/gRPC endpoint that spans and metrics go to, if any.
    pub otlp_endpoint: Option<String>,
    /// The port of `/metrics`, if it is served.
    pub metrics_port: Option<u16>,
}

impl TelemetrySettings {
    /// Reads the settings.
    pub fn read(env: &mut Env) -> Self {
        Self {
            filter: env.or(
                "RUST_LOG",
                "info".to_owned(),
                "which log lines are written, e.g. info,leadflow_billing=debug",
            ),
            json: env.or("LOG_FORMAT", "json".to_owned(), "json, or text for people") != "text",
            otlp_endpoint: env.optional(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "OTLP/gRPC endpoint for traces and metrics; none: they are not exported",
            ),
            metrics_port: env
                .optional("METRICS_PORT", "port of /metrics for Prometheus, one for each process; none: not served"),
        }
    }
}

/// Keeps the exporters; dropped, it sends what is left.
#[derive(Debug, Default)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    registry: Option<Registry>,
}

impl Telemetry {
    /// Whether anybody is told what is measured.
    #[must_use]
    pub const fn measures(&self) -> bool {
        self.metrics.is_some()
    }

    /// What `/metrics` is to show, if it is served.
    #[must_use]
    pub const fn registry(&self) -> Option<&Registry> {
        self.registry.as_ref()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let traces = self.traces.take().map(|provider| provider.shutdown());
        let metrics = self.metrics.take().map(|provider| provider.shutdown());
        for ended in [traces, metrics].into_iter().flatten() {
            if let Err(error) = ended {
                eprintln!("traces or metrics could not be sent at the end: {error}");
            }
        }
    }
}

/// Starts logs, traces and metrics for the whole process. Call once, inside the runtime.
///
/// # Errors
/// When the exporter cannot be built or logging has been started before.
pub fn start(settings: &TelemetrySettings, service: &str) -> anyhow::Result<Telemetry> {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let mut filter =
        EnvFilter::try_new(&settings.filter).map_err(|error| anyhow::anyhow!("RUST_LOG cannot be read: {error}"))?;
    if settings.otlp_endpoint.is_some() {
        // A span for every message costs something, so they are made only when somebody wants them.
        filter = filter.add_directive("leadflow::trace=trace".parse()?);
    }
    let lines = if settings.json {
        tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    } else {
        // Colours are for a terminal; in a file they are noise.
        tracing_subscriber::fmt::layer().with_ansi(std::io::stdout().is_terminal()).boxed()
    };
    let provider = settings.otlp_endpoint.as_deref().map(|endpoint| exporter(endpoint, service)).transpose()?;
    let spans =
        provider.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("leadflow")));
    tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(libraries::may_write))
        .with(lines)
        .with(spans)
        .try_init()?;
    panics::to_the_log();
    let mut telemetry = Telemetry { traces: provider, metrics: None, registry: None };
    telemetry.measure(settings, service)?;
    Ok(telemetry)
}

impl Telemetry {
    fn measure(&mut self, settings: &TelemetrySettings, service: &str) -> anyhow::Result<()> {
        if settings.metrics_port.is_none() && settings.otlp_endpoint.is_none() {
            return Ok(());
        }
        let mut metrics = SdkMeterProvider::builder().with_resource(resource(service));
        if settings.metrics_port.is_some() {
            let registry = Registry::new();
            registry.register(Box::new(ProcessCollector::for_self()))?;
            let reader = opentelemetry_prometheus::exporter()
                .with_registry(registry.clone())
                .scope_info_enabled(false)
                .build()?;
            metrics = metrics.with_reader(reader);
            self.registry = Some(registry);
        }
        if let Some(endpoint) = &settings.otlp_endpoint {
            let exporter =
                opentelemetry_otlp::MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
            metrics = metrics.with_reader(PeriodicReader::builder(exporter).build());
        }
        let metrics = metrics.build();
        global::set_meter_provider(metrics.clone());
        self.metrics = Some(metrics);
        Ok(())
    }
}

fn resource(service: &str) -> Resource {
    Resource::builder().with_service_name(format!("leadflow-{service}")).build()
}

fn exporter(endpoint: &str, service: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource(service)).build())
}
