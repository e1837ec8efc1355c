//! W3C Trace Context (`traceparent`) through messages. Without a trace exporter spans cost nothing
//! and the text is just passed on, so logs of all services can still be joined by its trace id.

use std::collections::HashMap;

use opentelemetry::{Context, global, trace::TraceContextExt};
use tracing_opentelemetry::OpenTelemetrySpanExt;

const KEY: &str = "traceparent";

/// The current span's context as a `traceparent` text, when spans are exported.
#[must_use]
pub fn current() -> Option<String> {
    let context = tracing::Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.remove(KEY)
}

/// Makes `span` a child of the context that `traceparent` names; anything malformed is ignored.
pub fn set_parent(span: &tracing::Span, traceparent: Option<&str>) {
    if let Some(text) = traceparent {
        // A span that nobody exports has no context to set: not an error.
        let _ = span.set_parent(context_of(text));
    }
}

/// A span for one message that a consumer works on, as a child of what caused the message, and the
/// text that what it causes shall carry. Nothing at all unless spans are exported: its target is
/// switched on only then.
pub(crate) fn processing(consumer: &'static str, message: &crate::Message) -> Option<(tracing::Span, String)> {
    let span = tracing::trace_span!(
        target: "leadflow::trace", "process", otel.name = format!("{consumer} {}", message.subject), event_id = %message.id
    );
    if span.is_disabled() {
        return None;
    }
    set_parent(&span, message.traceparent.as_deref());
    let text = span.in_scope(current)?;
    Some((span, text))
}

/// A new random `traceparent` (not sampled), for a request that came without one.
#[must_use]
pub fn fresh() -> String {
    let trace = rand::random::<u128>().max(1);
    let span = rand::random::<u64>().max(1);
    format!("00-{trace:032x}-{span:016x}-00")
}

/// The text if it is a well-formed version 00 `traceparent`.
#[must_use]
pub fn valid(text: &str) -> Option<&str> {
    let mut parts = text.split('-');
    let ok = parts.next() == Some("00")
        && parts.next().is_some_and(|p| is_hex(p, 32) && p.bytes().any(|b| b != b'0'))
        && parts.next().is_some_and(|p| is_hex(p, 16) && p.bytes().any(|b| b != b'0'))
        && parts.next().is_some_and(|p| is_hex(p, 2))
        && parts.next().is_none();
    ok.then_some(text)
}

/// The trace id (32 hex digits) of a well-formed `traceparent`, for logs.
#[must_use]
pub fn trace_id(traceparent: &str) -> Option<&str> {
    valid(traceparent).and_then(|text| text.get(3..35))
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn context_of(traceparent: &str) -> Context {
    let carrier = HashMap::from([(KEY.to_owned(), traceparent.to_owned())]);
    global::get_text_map_propagator(|propagator| propagator.extract(&carrier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_contexts_are_valid_and_differ() {
        let (a, b) = (fresh(), fresh());
        assert!(valid(&a).is_some() && valid(&b).is_some());
        assert_ne!(a, b);
    }

    #[test]
    fn malformed_contexts_are_refused() {
        for bad in [
            "",
            "00",
            "00-00000000000000000000000000000000-0123456789abcdef-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert_eq!(valid(bad), None, "{bad}");
        }
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_id(good), Some("0af7651916cd43dd8448eb211c80319c"));
    }
}
