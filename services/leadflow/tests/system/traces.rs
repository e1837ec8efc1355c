//! One trace from the supplier's request to the buyer's webhook, as a collector sees it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use leadflow_contracts::common::Logic;
use leadflow_testkit::wait;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use crate::world::{PATIENCE, Terms, World, lead, options};

/// Keeps (service, trace id) of every span sent to it.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<BTreeSet<(String, String)>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for spans in request.into_inner().resource_spans {
            let service = spans
                .resource
                .iter()
                .flat_map(|resource| &resource.attributes)
                .find(|attribute| attribute.key == "service.name")
                .and_then(|attribute| attribute.value.as_ref())
                .map(|value| format!("{:?}", value.value))
                .unwrap_or_default();
            for span in spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                self.0.lock().unwrap().insert((service.clone(), hex::encode(span.trace_id)));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_sees_one_trace_through_all_services() {
    let collector = Collector::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder().add_service(TraceServiceServer::new(collector.clone()));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let mut options = options();
    options.env.push(("OTEL_EXPORTER_OTLP_ENDPOINT".into(), endpoint));
    // The batch exporter's own interval, so that the test need not wait for five seconds.
    options.env.push(("OTEL_BSP_SCHEDULE_DELAY".into(), "200".into()));
    let world = World::start(options).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 30).await;
    let buyer = world.buyer("traced", 5, "100.00").await;
    world.subscribe(campaign, buyer, Terms::default()).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let answer = world.post(&lead(campaign, 1), &[("traceparent", &parent)]).await.unwrap();
    assert_eq!(answer.body["distributed"], true, "{answer:?}");

    for service in ["ingest", "distribution", "billing", "notifier"] {
        wait::until(format!("a span of {service} in the request's trace"), PATIENCE, async || {
            collector
                .0
                .lock()
                .unwrap()
                .iter()
                .any(|(name, id)| name.contains(&format!("leadflow-{service}")) && id == trace)
        })
        .await;
    }
}
