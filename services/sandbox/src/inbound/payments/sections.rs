//! The parts of the page.

use chrono::DateTime;
use serde_json::Value;

use super::super::html::Html;
use crate::{
    payments::{Behaviour, Target},
    stripe::Manners,
};

/// Buttons: what they do and what is on them.
type Buttons = &'static [(&'static str, &'static str)];

pub(super) fn manners(
    html: &mut Html,
    behaviour: &Behaviour,
    manners: &Manners,
    waiting: usize,
    target: Option<&Target>,
) {
    html.raw("<dl><dt>The next call<dd>");
    if behaviour.rules.is_empty() {
        html.raw("is carried out and answered. ");
    }
    for rule in &behaviour.rules {
        html.text(serde_json::to_string(rule).unwrap_or_default()).raw(" ");
    }
    let faults: Buttons = &[
        ("lose_request", "lose it"),
        ("lose_answer", "lose its answer"),
        ("hang", "hang"),
        ("fail", "answer 500"),
        ("limit", "answer 429"),
        ("behave", "behave"),
    ];
    buttons(html, "", faults);
    html.raw("<dt>Events<dd>");
    match target {
        Some(target) => html.raw("go to ").text(&target.url).raw("; ").text(waiting).raw(" wait"),
        None => html.raw("go nowhere"),
    };
    if manners.hold {
        html.raw(", held back");
    }
    for (count, what) in [(manners.drop_next, "dropped"), (manners.duplicate_next, "delivered twice")] {
        if count > 0 {
            html.raw(", the next ").text(count).raw(" are ").text(what);
        }
    }
    html.raw(". ");
    let ways: Buttons = if manners.hold {
        &[("release", "let them go"), ("duplicate", "double the next"), ("drop", "drop the next")]
    } else {
        &[("hold", "hold them back"), ("duplicate", "double the next"), ("drop", "drop the next")]
    };
    buttons(html, "", ways);
    html.raw("</dl>");
}

pub(super) fn setups(html: &mut Html, setups: &[Value]) {
    let open: Vec<_> = setups.iter().filter(|it| it["status"] != "succeeded" && it["status"] != "canceled").collect();
    if open.is_empty() {
        return;
    }
    html.raw("<h2>Cards to be stored</h2><table><tbody>");
    for it in open {
        html.raw("<tr><td>");
        when(html, it);
        html.raw("<td>").text(text(it, "id")).raw("<td>").text(text(it, "customer")).raw("<td>");
        tag(html, "note", text(it, "status"));
        html.raw("<td>");
        owner(html, it);
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
}

pub(super) fn intents(html: &mut Html, intents: &[Value]) {
    if intents.is_empty() {
        return;
    }
    html.raw("<h2>Payments</h2><table><thead><tr><th>When<th class=\"n\">Amount<th>Payment<th>For<th>State<th></thead><tbody>");
    for it in intents {
        html.raw("<tr><td>");
        when(html, it);
        html.raw("<td class=\"n\">");
        money(html, it, "amount");
        html.raw("<td>").text(text(it, "id")).raw("<td>");
        metadata(html, it);
        html.raw("<td>");
        let status = text(it, "status");
        tag(html, if status == "succeeded" { "good" } else { "note" }, status);
        let error = &it["last_payment_error"];
        if !error.is_null() {
            html.raw(" <small>").text(code(error)).raw("</small>");
        }
        html.raw("<td>");
        owner(html, it);
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
}

pub(super) fn charges(html: &mut Html, charges: &[Value]) {
    if charges.is_empty() {
        return;
    }
    html.raw("<h2>Charges</h2><table><thead><tr><th>When<th class=\"n\">Amount<th class=\"n\">Given back<th>Charge<th>Card<th>State<th></thead><tbody>");
    for it in charges {
        let paid = it["paid"] == true;
        html.raw("<tr><td>");
        when(html, it);
        html.raw("<td class=\"n\">");
        money(html, it, "amount");
        html.raw("<td class=\"n\">");
        money(html, it, "amount_refunded");
        html.raw("<td>").text(text(it, "id")).raw("<td>…");
        html.text(it["payment_method_details"]["card"]["last4"].as_str().unwrap_or_default()).raw("<td>");
        if paid {
            tag(html, "good", "paid");
        } else {
            tag(html, "bad", it["outcome"]["reason"].as_str().unwrap_or("failed"));
        }
        if it["disputed"] == true {
            html.raw(" ");
            tag(html, "bad", "disputed");
        }
        html.raw("<td>");
        if paid && it["disputed"] == false && it["refunded"] == false {
            let id = text(it, "id");
            buttons(html, id, &[("refund", "give back"), ("refund_half", "half"), ("dispute", "complain")]);
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
}

pub(super) fn refunds(html: &mut Html, refunds: &[Value]) {
    if refunds.is_empty() {
        return;
    }
    html.raw("<h2>Refunds</h2><table><thead><tr><th>When<th class=\"n\">Amount<th>Refund<th>Of<th>For<th>State<th></thead><tbody>");
    for it in refunds {
        html.raw("<tr><td>");
        when(html, it);
        html.raw("<td class=\"n\">");
        money(html, it, "amount");
        html.raw("<td>").text(text(it, "id")).raw("<td>").text(text(it, "charge")).raw("<td>");
        metadata(html, it);
        html.raw("<td>");
        let failed = it["status"] == "failed";
        tag(html, if failed { "bad" } else { "good" }, text(it, "status"));
        html.raw("<td>");
        if !failed {
            buttons(html, text(it, "id"), &[("fail_refund", "fail")]);
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
}

pub(super) fn disputes(html: &mut Html, disputes: &[Value]) {
    if disputes.is_empty() {
        return;
    }
    html.raw("<h2>Disputes</h2><table><thead><tr><th>When<th class=\"n\">Amount<th>Dispute<th>Of<th>Reason<th>State<th></thead><tbody>");
    for it in disputes {
        html.raw("<tr><td>");
        when(html, it);
        html.raw("<td class=\"n\">");
        money(html, it, "amount");
        html.raw("<td>").text(text(it, "id")).raw("<td>").text(text(it, "charge")).raw("<td>");
        html.text(text(it, "reason")).raw("<td>");
        tag(html, if it["status"] == "won" { "good" } else { "bad" }, text(it, "status"));
        html.raw("<td>");
        if it["status"] == "needs_response" {
            buttons(html, text(it, "id"), &[("win", "we win"), ("lose", "we lose")]);
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
}

pub(super) fn customers(html: &mut Html, customers: &[Value], methods: &[Value]) {
    if customers.is_empty() {
        return;
    }
    html.raw("<h2>Customers</h2><table><thead><tr><th>Since<th>Customer<th>Who<th>For<th>Cards</thead><tbody>");
    for it in customers {
        html.raw("<tr><td>");
        when(html, it);
        html.raw("<td>").text(text(it, "id")).raw("<td>").text(text(it, "name")).raw(" <small>");
        html.text(text(it, "email")).raw("</small><td>");
        metadata(html, it);
        html.raw("<td>");
        for method in methods.iter().filter(|method| method["customer"] == it["id"]) {
            let card = &method["card"];
            html.text(text(card, "brand")).raw(" …").text(text(card, "last4"));
            buttons(html, text(method, "id"), &[("spoil", "decline from now on"), ("mend", "mend")]);
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
}

pub(super) fn events(html: &mut Html, events: &[Value]) {
    if events.is_empty() {
        return;
    }
    html.raw("<h2>Events</h2>");
    for it in events {
        html.raw("<details><summary>");
        when(html, it);
        html.raw(" <b>").text(text(it, "type")).raw("</b> ").text(text(&it["data"]["object"], "id"));
        if it["pending_webhooks"] == 1 {
            html.raw(" ");
            tag(html, "note", "waits");
        }
        html.raw("</summary>");
        buttons(html, text(it, "id"), &[("resend", "send again")]);
        html.raw("<pre>").text(format_args!("{it:#}")).raw("</pre></details>");
    }
}

/// What the owner of the card can do about an intent.
fn owner(html: &mut Html, it: &Value) {
    let (id, secret) = (text(it, "id"), text(it, "client_secret"));
    match text(it, "status") {
        "requires_action" => {
            html.raw("<a href=\"/stripe/authenticate/").text(id).raw("?client_secret=").text(secret);
            html.raw("\">be the card’s owner</a>");
        }
        "requires_payment_method" | "requires_confirmation" => {
            html.raw("<a href=\"/stripe/card?client_secret=").text(secret).raw("\">type a card</a>");
        }
        _ => {}
    }
}

fn buttons(html: &mut Html, id: &str, buttons: Buttons) {
    html.raw("<form method=\"post\" action=\"/stripe\"><input type=\"hidden\" name=\"id\" value=\"")
        .text(id)
        .raw("\">");
    for (what, label) in buttons {
        html.raw("<button name=\"do\" value=\"").text(what).raw("\">").text(label).raw("</button>");
    }
    html.raw("</form>");
}

fn tag(html: &mut Html, class: &'static str, word: &str) {
    html.raw("<span class=\"tag ").text(class).raw("\">").text(word.replace('_', " ")).raw("</span>");
}

fn text<'a>(it: &'a Value, name: &str) -> &'a str {
    it[name].as_str().unwrap_or_default()
}

fn code(error: &Value) -> &str {
    error["decline_code"].as_str().or_else(|| error["code"].as_str()).unwrap_or_default()
}

fn when(html: &mut Html, it: &Value) {
    let at = it["created"].as_i64().and_then(|at| DateTime::from_timestamp(at, 0)).unwrap_or_default();
    html.raw("<time>").text(at.format("%d %b %H:%M:%S")).raw("</time>");
}

/// An amount in words: it comes in the smallest unit, and all currencies have two decimals.
pub(super) fn money(html: &mut Html, it: &Value, name: &str) {
    let amount = it[name].as_i64().unwrap_or_default();
    html.text(format_args!("{}.{:02} ", amount / 100, amount % 100)).text(text(it, "currency").to_ascii_uppercase());
}

fn metadata(html: &mut Html, it: &Value) {
    html.raw("<small>");
    for (name, value) in it["metadata"].as_object().into_iter().flatten() {
        html.text(name).raw(" ").text(value.as_str().unwrap_or_default()).raw(" ");
    }
    html.raw("</small>");
}
