//! Structured logs on standard output, and traces over OTLP when an endpoint is set.

use std::io::IsTerminal as _;

use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::Env;

/// How a process tells what it does.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// `RUST_LOG` syntax.
    pub filter: String,
    /// One JSON object a line; otherwise text for people.
    pub json: bool,
    /// The OTLP/gRPC endpoint that spans go to, if any.
    pub otlp_endpoint: Option<String>,
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
            otlp_endpoint: env
                .optional("OTEL_EXPORTER_OTLP_ENDPOINT", "OTLP/gRPC endpoint for traces; none: no traces are exported"),
        }
    }
}

/// Keeps the exporter; dropped, it sends what is left.
#[derive(Debug, Default)]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown()
        {
            eprintln!("traces could not be sent at the end: {error}");
        }
    }
}

/// Starts logs and traces for the whole process. Call once, inside the runtime.
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
    tracing_subscriber::registry().with(filter).with(lines).with(spans).try_init()?;
    Ok(Telemetry(provider))
}

fn exporter(endpoint: &str, service: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name(format!("leadflow-{service}")).build())
        .build())
}
