//! Reading whole streams leaves no trace on the server.

use async_nats::jetstream;
use futures::TryStreamExt as _;
use leadflow_contracts::streams;
use leadflow_messaging::copy::Reader;
use leadflow_testkit::TestNats;

use crate::{bus_with_streams, credited};

async fn consumers(jetstream: &jetstream::Context) -> Vec<String> {
    let stream = jetstream.get_stream(streams::BILLING).await.unwrap();
    let mut names: Vec<String> = stream.consumer_names().try_collect().await.unwrap();
    names.sort();
    names
}

#[tokio::test]
async fn a_reader_that_is_closed_is_gone_at_once_whether_it_failed_or_not() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let jetstream = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let before = consumers(&jetstream).await;
    bus.publish(&[credited("one")]).await.unwrap();
    bus.publish(&[credited("two")]).await.unwrap();

    let mut reader = Reader::open(&bus, streams::BILLING).await.unwrap();
    assert_eq!(consumers(&jetstream).await.len(), before.len() + 1);
    let last = reader.last().await.unwrap();
    let mut read = Vec::new();
    let keep = |message: leadflow_messaging::copy::Stored| {
        read.push(message.sequence);
        Ok(())
    };
    reader.read_to(last, keep).await.unwrap();
    assert_eq!(read, [1, 2]);
    reader.close().await.unwrap();
    assert_eq!(consumers(&jetstream).await, before);

    let mut reader = Reader::open(&bus, streams::BILLING).await.unwrap();
    let failed = reader.read_to(last, |_| Err("the disk is full".into())).await;
    assert!(format!("{:?}", failed.unwrap_err()).contains("the disk is full"));
    reader.close().await.unwrap();
    assert_eq!(consumers(&jetstream).await, before);
}
