//! Header names: CloudEvents attributes (NATS protocol binding, prefix `ce-`), W3C Trace Context,
//! and JetStream's own.

pub(crate) const ID: &str = "ce-id";
pub(crate) const TYPE: &str = "ce-type";
pub(crate) const SOURCE: &str = "ce-source";
pub(crate) const TIME: &str = "ce-time";
pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const MSG_ID: &str = "Nats-Msg-Id";

pub(crate) const DLQ_SUBJECT: &str = "dlq-subject";
pub(crate) const DLQ_STREAM: &str = "dlq-stream";
pub(crate) const DLQ_CONSUMER: &str = "dlq-consumer";
pub(crate) const DLQ_SEQUENCE: &str = "dlq-sequence";
pub(crate) const DLQ_ERROR: &str = "dlq-error";
