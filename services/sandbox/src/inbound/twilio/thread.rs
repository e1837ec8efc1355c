//! One phone with its messages.

use super::super::html::Html;
use crate::twilio::{Direction, Text, TextStatus};

/// The messages between a person and one of our numbers.
pub(super) struct Thread {
    pub(super) person: String,
    pub(super) ours: String,
    /// He said STOP.
    pub(super) stopped: bool,
    /// The oldest first.
    pub(super) texts: Vec<Text>,
}

/// Draws it; `alone` on a page, a message can be written.
pub(super) fn phone(html: &mut Html, thread: &Thread, alone: bool) {
    html.raw("<section class=\"phone\"><h2><a href=\"/texts?number=")
        // A plus sign in a query is a blank.
        .text(thread.person.replace('+', "%2B"))
        .raw("\">")
        .text(&thread.person)
        .raw("</a>");
    if thread.stopped {
        html.raw(" <span class=\"tag\">said STOP</span>");
    }
    html.raw("</h2><p class=\"with\">with ").text(&thread.ours).raw("</p><ol>");
    for text in &thread.texts {
        bubble(html, text, alone);
    }
    html.raw("</ol><div class=\"keys\">");
    for word in ["STOP", "START"] {
        answer_form(html, thread, alone);
        html.raw("<button name=\"body\" value=\"").text(word).raw("\">Answer ").text(word).raw("</button></form>");
    }
    html.raw("</div>");
    if alone {
        answer_form(html, thread, alone);
        html.raw(
            "<input name=\"body\" required maxlength=\"1600\" aria-label=\"a message\" placeholder=\"A message\">",
        )
        .raw("<button>Send</button></form>");
    }
    html.raw("</section>");
}

fn answer_form(html: &mut Html, thread: &Thread, alone: bool) {
    html.raw("<form method=\"post\" action=\"/texts/answer\"><input type=\"hidden\" name=\"from\" value=\"")
        .text(&thread.person)
        .raw("\"><input type=\"hidden\" name=\"to\" value=\"")
        .text(&thread.ours)
        .raw("\">");
    way_back(html, &thread.person, alone);
}

fn way_back(html: &mut Html, person: &str, alone: bool) {
    if alone {
        html.raw("<input type=\"hidden\" name=\"back\" value=\"").text(person).raw("\">");
    }
}

fn bubble(html: &mut Html, text: &Text, alone: bool) {
    let written = text.direction == Direction::Inbound;
    html.raw(if written { "<li class=\"written\">" } else { "<li>" });
    // Whatever it says, it stays in its bubble and turns nothing else around.
    html.raw("<p class=\"bubble\"><bdi>").text(&text.body).raw("</bdi></p><p class=\"fate\"><time>");
    html.text(text.created_at.format("%H:%M:%S")).raw("</time> · ");
    let bad = matches!(text.status, TextStatus::Undelivered | TextStatus::Failed);
    html.raw(if bad { "<b class=\"bad\">" } else { "<b>" }).text(text.status.word());
    if let Some(code) = text.error_code {
        html.raw(" ").text(code);
    }
    html.raw("</b> · ").text(text.segments).raw(if text.segments == 1 { " segment, " } else { " segments, " });
    html.text(&text.encoding);
    if !text.told.is_empty() {
        html.raw(" · told:");
        for told in &text.told {
            html.raw(" ").text(told.status.word()).raw(" (");
            match told.answer {
                Some(status) => html.text(status),
                None => html.raw("no answer"),
            };
            html.raw(")");
        }
    }
    html.raw("</p>");
    if text.direction == Direction::OutboundApi && !bad {
        html.raw("<form method=\"post\" action=\"/texts/status\"><input type=\"hidden\" name=\"sid\" value=\"")
            .text(&text.sid)
            .raw("\">");
        way_back(html, text.person(), alone);
        html.raw("<button>Mark undelivered</button></form>");
    }
    html.raw("</li>");
}
