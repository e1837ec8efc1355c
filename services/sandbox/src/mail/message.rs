//! The parts of a mail that a person sees (MIME, as far as our own mails need it).

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A mail, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) message_id: String,
    pub(super) sender: String,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// How deep parts may be in parts.
const DEPTH: usize = 4;

pub(super) fn parse(raw: &[u8]) -> Parsed {
    let text = String::from_utf8_lossy(raw).replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let headers = headers(head);
    let mut parsed = Parsed {
        message_id: header(&headers, "message-id").trim_matches(['<', '>']).to_owned(),
        sender: {
            let from = words(header(&headers, "from"));
            from.split_once('<').map_or("", |(name, _)| name).trim().trim_matches('"').to_owned()
        },
        subject: words(header(&headers, "subject")),
        ..Parsed::default()
    };
    part(&headers, body, &mut parsed, DEPTH);
    parsed
}

fn headers(head: &str) -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = list.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            list.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    list
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn part(headers: &[(String, String)], body: &str, into: &mut Parsed, depth: usize) {
    let kind = header(headers, "content-type");
    let lower = kind.to_ascii_lowercase();
    if lower.starts_with("multipart/") && depth > 0 {
        let boundary = kind.split_once("boundary=").map_or("", |(_, rest)| rest.split(';').next().unwrap_or_default());
        let boundary = format!("--{}", boundary.trim().trim_matches('"'));
        for piece in format!("\n{body}").split(&format!("\n{boundary}")).skip(1) {
            if piece.starts_with("--") {
                break;
            }
            let (head, body) = piece.trim_start_matches('\n').split_once("\n\n").unwrap_or(("", piece));
            part(&self::headers(head), body, into, depth - 1);
        }
        return;
    }
    let encoding = header(headers, "content-transfer-encoding").to_ascii_lowercase();
    let text = match encoding.as_str() {
        "quoted-printable" => quoted_printable(body),
        "base64" => {
            let packed: String = body.split_whitespace().collect();
            String::from_utf8_lossy(&STANDARD.decode(packed).unwrap_or_default()).into_owned()
        }
        _ => body.to_owned(),
    };
    let place = if lower.starts_with("text/html") { &mut into.html } else { &mut into.text };
    if place.is_empty() {
        *place = text;
    }
}

fn quoted_printable(body: &str) -> String {
    let joined = body.replace("=\n", "");
    let (mut bytes, mut rest) = (Vec::with_capacity(joined.len()), joined.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        let code = (*first == b'=').then(|| more.get(..2).and_then(|code| hex::decode(code).ok())).flatten();
        match code {
            Some(code) => {
                bytes.extend(code);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A header's text, in which words may be encoded (RFC 2047).
fn words(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("=?") {
        let mut fields = after.splitn(4, '?');
        let (Some(_charset), Some(encoding), Some(word), Some(tail)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            break;
        };
        // Space between two encoded words only separates them.
        if !before.trim().is_empty() || plain.is_empty() {
            plain.push_str(before);
        }
        plain.push_str(&match encoding {
            "b" | "B" => String::from_utf8_lossy(&STANDARD.decode(word).unwrap_or_default()).into_owned(),
            _ => quoted_printable(&word.replace('_', " ")),
        });
        rest = tail.strip_prefix('=').unwrap_or(tail);
    }
    plain.push_str(rest);
    plain
}

/// Every web address in a text, in order, once each.
pub(super) fn links(text: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || "<>\"'()".contains(c)) {
        let is_link = word.starts_with("http://") || word.starts_with("https://");
        if is_link && !links.iter().any(|link| link == word) {
            links.push(word.to_owned());
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_in_two_forms_is_read() {
        let raw = "Message-ID: <evt_1@x>\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?= to\r\n you\r\n\
                   Content-Type: multipart/alternative;\r\n boundary=\"b1\"\r\n\r\n--b1\r\n\
                   Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                   See https://x.example/a?token=3Dabc=\r\ndef now\r\n--b1\r\nContent-Type: text/html\r\n\
                   Content-Transfer-Encoding: base64\r\n\r\nPGI+aGk8L2I+\r\n--b1--\r\n";
        let parsed = parse(raw.as_bytes());
        assert_eq!((parsed.message_id.as_str(), parsed.subject.as_str()), ("evt_1@x", "Grüße to you"));
        assert_eq!(parsed.text.trim(), "See https://x.example/a?token=abcdef now");
        assert_eq!(parsed.html, "<b>hi</b>");
        assert_eq!(links(&parsed.text), ["https://x.example/a?token=abcdef"]);
    }

    #[test]
    fn whatever_comes_is_read_somehow() {
        for raw in
            ["", "\r\n\r\n", "Content-Type: multipart/mixed\r\n\r\n--", "a: =?b?=\r\n\r\n=", "Subject: =?\r\n\r\n=Z="]
        {
            parse(raw.as_bytes());
        }
        assert_eq!(parse(b"Subject: plain\r\n\r\nbody").text, "body");
    }
}
