//! The page for people.

use axum::{
    Form,
    extract::{Query, State},
    http::header,
    response::{Html as HtmlResponse, IntoResponse, Redirect, Response},
};
use leadflow_platform::ApiError;
use serde::Deserialize;
use serde_json::Value;

use super::html::Html;
use crate::{
    Sandbox,
    hooks::{Behaviour, Counters, Mode, Received},
};

const SHOWN: usize = 200;
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const MODES: [(Mode, &str, &str); 4] = [
    (Mode::Ok, "ok", "accept"),
    (Mode::Fail, "fail", "fail"),
    (Mode::Slow, "slow", "be slow"),
    (Mode::Hang, "hang", "hang"),
];

#[derive(Deserialize)]
pub(super) struct ShowQuery {
    name: Option<String>,
    paused: Option<String>,
}

pub(super) async fn show(State(sandbox): State<Sandbox>, Query(query): Query<ShowQuery>) -> Response {
    let name = query.name.as_deref().filter(|name| !name.is_empty());
    let (received, receivers) = {
        let hooks = sandbox.hooks();
        (hooks.list(name, 0, SHOWN), hooks.counters(None))
    };
    let mut html = Html::default();
    html.raw(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>LeadFlow sandbox: webhooks</title>",
    )
    .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    if query.paused.is_none() {
        html.raw("<meta http-equiv=\"refresh\" content=\"3\">");
    }
    html.raw("<style>").raw(include_str!("page.css")).raw("</style></head><body><header><h1>Webhooks received</h1><p>");
    html.raw("<a href=\"/mails\">Mails</a>, <a href=\"/texts\">text messages</a> and <a href=\"/stripe\">payments</a> are over there. ");
    html.raw(
        "POST to <code>/hooks/<em>name</em></code>. This is a stand-in for a buyer’s system; nothing here is real. ",
    );
    if query.paused.is_none() {
        html.raw("The page refreshes every 3 seconds; <a href=\"?paused=1\">stop that</a>.");
    } else {
        html.raw("Refreshing is stopped; <a href=\"/\">start it</a>.");
    }
    html.raw("</p></header>");
    if receivers.is_empty() {
        html.raw("<p class=\"empty\">Nothing has arrived yet.</p>");
    } else {
        html.raw("<table><thead><tr><th>Receiver<th class=\"n\">Requests<th class=\"n\">Accepted<th class=\"n\">Different ids")
            .raw("<th class=\"n\">Failed<th class=\"n\">Bad signatures<th>Told to</thead><tbody>");
        for (name, (counters, behaviour)) in &receivers {
            receiver_row(&mut html, name, counters, behaviour);
        }
        html.raw("</tbody></table>");
    }
    if let Some(name) = name {
        html.raw("<h2>Newest for ").text(name).raw(" <a href=\"/\">show all</a></h2>");
    } else if !received.is_empty() {
        html.raw("<h2>Newest</h2>");
    }
    for record in &received {
        record_block(&mut html, record);
    }
    html.raw("</body></html>");
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], HtmlResponse(html.into_string())).into_response()
}

fn receiver_row(html: &mut Html, name: &str, counters: &Counters, behaviour: &Behaviour) {
    html.raw("<tr><td><a href=\"/?name=").text(name).raw("\">").text(name).raw("</a>");
    let numbers = [
        (counters.received, false),
        (counters.accepted, false),
        (counters.unique, counters.unique != counters.accepted),
        (counters.failed, counters.failed > 0),
        (counters.bad_signatures, counters.bad_signatures > 0),
    ];
    for (number, notable) in numbers {
        html.raw(if notable { "<td class=\"n bad\">" } else { "<td class=\"n\">" }).text(number);
    }
    html.raw("<td><form method=\"post\" action=\"/behaviour\"><input type=\"hidden\" name=\"name\" value=\"")
        .text(name)
        .raw("\">");
    for (mode, value, label) in MODES {
        html.raw(if mode == behaviour.mode {
            "<button class=\"on\" name=\"mode\" value=\""
        } else {
            "<button name=\"mode\" value=\""
        })
        .text(value)
        .raw("\">")
        .text(label)
        .raw("</button>");
    }
    if behaviour.fail_next > 0 {
        html.raw(" <small>after ").text(behaviour.fail_next).raw(" more failures</small>");
    }
    html.raw("</form></tr>");
}

fn record_block(html: &mut Html, record: &Received) {
    let good = matches!(record.status, Some(200..=299));
    html.raw(if good {
        "<details><summary><span class=\"tag good\">"
    } else {
        "<details><summary><span class=\"tag bad\">"
    });
    match record.status {
        Some(status) => html.text(status),
        None => html.raw("hangs"),
    };
    html.raw("</span> <time>")
        .text(record.received_at.format("%H:%M:%S%.3f"))
        .raw("</time> <b>")
        .text(&record.name)
        .raw("</b> ");
    html.text(field(&record.body, &["event"])).raw(" ").text(field(&record.body, &["data", "leadId"]));
    if record.repeated {
        html.raw(" <span class=\"tag note\">repeat</span>");
    }
    html.raw(" <small>signatures: ").text(record.signature.word()).raw(", ").text(record.standard_signature.word());
    html.raw("</small></summary><dl><dt>webhook-id<dd>").text(record.webhook_id.as_deref().unwrap_or("–"));
    if let Some(traceparent) = &record.traceparent {
        html.raw("<dt>traceparent<dd>").text(traceparent);
    }
    html.raw("</dl><pre>").text(format_args!("{:#}", record.body)).raw("</pre></details>");
}

fn field<'a>(body: &'a Value, path: &[&str]) -> &'a str {
    path.iter().try_fold(body, |value, key| value.get(key)).and_then(Value::as_str).unwrap_or("")
}

#[derive(Deserialize)]
pub(super) struct BehaviourForm {
    name: String,
    mode: Mode,
}

pub(super) async fn behave(
    State(sandbox): State<Sandbox>,
    Form(form): Form<BehaviourForm>,
) -> Result<Redirect, ApiError> {
    sandbox.hooks().behave(&form.name, Behaviour { mode: form.mode, ..Behaviour::default() })?;
    Ok(Redirect::to("/"))
}
