//! A collector of OpenTelemetry's in this process: it keeps what roles send over OTLP/gRPC.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use leadflow_testkit::cluster::ClusterOptions;
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value},
    metrics::v1::{Metric, metric::Data},
    resource::v1::Resource,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// Clones share what is kept.
#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// (service, trace id) of every span.
    traces: BTreeSet<(String, String)>,
    /// (service, name, attributes as `key=value`) of every number.
    metrics: BTreeSet<(String, String, BTreeSet<String>)>,
    /// Every request, for what must be nowhere in it.
    texts: Vec<String>,
}

impl Collector {
    /// Listens, and has the cluster's roles send here, soon.
    pub async fn start(options: &mut ClusterOptions) -> Self {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        options.env.push(("OTEL_EXPORTER_OTLP_ENDPOINT".into(), endpoint));
        // The exporters' own intervals, so that a test need not wait for five seconds, or for a minute.
        options.env.push(("OTEL_BSP_SCHEDULE_DELAY".into(), "200".into()));
        options.env.push(("OTEL_METRIC_EXPORT_INTERVAL".into(), "500".into()));
        collector
    }

    /// Whether a span of `service` in this trace came.
    pub fn has_span(&self, service: &str, trace: &str) -> bool {
        self.0.lock().unwrap().traces.contains(&(format!("leadflow-{service}"), trace.to_owned()))
    }

    /// Whether a number of `service` with this name and at least these attributes came.
    pub fn has_metric(&self, service: &str, name: &str, attributes: &[&str]) -> bool {
        let service = format!("leadflow-{service}");
        self.0.lock().unwrap().metrics.iter().any(|(from, called, has)| {
            *from == service && called == name && attributes.iter().all(|wanted| has.contains(*wanted))
        })
    }

    /// The requests in which `text` is.
    pub fn with(&self, text: &str) -> Vec<String> {
        self.0.lock().unwrap().texts.iter().filter(|request| request.contains(text)).cloned().collect()
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let mut kept = self.0.lock().unwrap();
        kept.texts.push(format!("{request:?}"));
        for spans in request.resource_spans {
            let service = service(spans.resource.as_ref());
            for span in spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                kept.traces.insert((service.clone(), hex::encode(span.trace_id)));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let request = request.into_inner();
        let mut kept = self.0.lock().unwrap();
        kept.texts.push(format!("{request:?}"));
        for numbers in request.resource_metrics {
            let service = service(numbers.resource.as_ref());
            for metric in numbers.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                for attributes in points(&metric) {
                    kept.metrics.insert((service.clone(), metric.name.clone(), attributes));
                }
            }
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn service(resource: Option<&Resource>) -> String {
    let attributes = resource.map(|resource| resource.attributes.as_slice()).unwrap_or_default();
    let name = attributes.iter().find(|attribute| attribute.key == "service.name");
    name.map(|attribute| value(attribute.value.as_ref())).unwrap_or_default()
}

/// The attributes of each number of a metric.
fn points(metric: &Metric) -> Vec<BTreeSet<String>> {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(|point| shown(&point.attributes)).collect(),
        Some(Data::Sum(sum)) => sum.data_points.iter().map(|point| shown(&point.attributes)).collect(),
        Some(Data::Histogram(all)) => all.data_points.iter().map(|point| shown(&point.attributes)).collect(),
        other => panic!("a kind of metric that nobody makes: {other:?}"),
    }
}

fn shown(attributes: &[KeyValue]) -> BTreeSet<String> {
    attributes.iter().map(|attribute| format!("{}={}", attribute.key, value(attribute.value.as_ref()))).collect()
}

fn value(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
