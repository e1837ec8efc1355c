//! Requests that nobody should send: each is answered 4xx with a stable code in the common form,
//! and nothing of it reaches the stream.

use crate::{
    client::{self, Answer},
    world::{JSON, KEY, World},
};

/// One request and what it is answered.
struct Case {
    name: String,
    bytes: Vec<u8>,
    status: u16,
    code: &'static str,
    /// A path that `fields` has to name.
    field: Option<&'static str>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_request_is_refused_and_nothing_is_stored() {
    let world = World::with(|_| {}, false).await;
    // The one lead on the stream: its key is then used with other bodies.
    let keyed = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "used"), ("Prefer", "respond-async")];
    assert_eq!(world.post_with(&keyed, &world.lead("Doe")).await.status, 202);
    assert_eq!(world.stored().await, 1);

    let mut cases = Vec::new();
    callers(&mut cases);
    heads(&mut cases, &world);
    bodies(&mut cases, &world);
    envelopes(&mut cases, &world);
    data(&mut cases, &world);
    addresses(&mut cases, &world);
    assert!(cases.len() >= 160, "{} cases", cases.len());
    for case in cases {
        let answer = client::send(world.addr, &case.bytes).await;
        check(&case, &answer);
        assert_eq!(world.stored().await, 1, "{}: something was published", case.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_http_is_refused_before_it_is_anybodys() {
    let world = World::with(|_| {}, false).await;
    let body = world.lead("Doe");
    let head = |headers: &str| {
        format!(
            "POST /api/leads/ingest HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n{headers}\r\n"
        )
    };
    let many = (0..300).map(|n| format!("X-{n}: 1\r\n")).collect::<String>();
    for (name, text) in [
        ("no HTTP", "hello\r\n\r\n".to_owned()),
        ("HTTP/0.9", "GET /api/leads/ingest\r\n\r\n".to_owned()),
        ("HTTP/3", "GET / HTTP/3.0\r\n\r\n".to_owned()),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n".to_owned()),
        ("length is no number", head("Content-Length: many\r\n") + &body),
        ("negative length", head("Content-Length: -1\r\n") + &body),
        ("two lengths", head("Content-Length: 5\r\nContent-Length: 6\r\n") + &body),
        ("unknown transfer coding", head("Transfer-Encoding: secret\r\n") + &body),
        ("null byte in a header", head("X-A: a\0b\r\n") + &body),
        ("space in a header's name", head("X A: b\r\n") + &body),
        ("too many headers", head(&many) + &body),
        ("endless header", head(&format!("X-A: {}\r\n", "a".repeat(1 << 20))) + &body),
    ] {
        let mut stream = tokio::net::TcpStream::connect(world.addr).await.expect("connect");
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await;
        let answer = tokio::time::timeout(crate::world::PATIENCE, client::read(&mut stream)).await.expect(name);
        assert!(answer.as_ref().is_none_or(|answer| (400..500).contains(&answer.status)), "{name}: {answer:?}");
        assert_eq!(world.stored().await, 0, "{name}");
    }
    // A length and chunks together: one request, read by its chunks, and nothing smuggled behind it.
    let hidden = head("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")
        + &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let answer = client::send(world.addr, hidden.as_bytes()).await;
    assert!([202, 400].contains(&answer.status), "{answer:?}");
}

#[track_caller]
fn check(case: &Case, answer: &Answer) {
    let name = &case.name;
    assert_eq!(answer.status, case.status, "{name}: {answer:?}");
    let body = answer.json();
    assert_eq!(body["code"], case.code, "{name}: {answer:?}");
    assert!(body["error"].as_str().is_some_and(|sentence| sentence.len() > 5), "{name}: {answer:?}");
    assert_eq!(body["requestId"].as_str(), answer.header("x-request-id"), "{name}: {answer:?}");
    let challenge = answer.header("www-authenticate").is_some_and(|text| text.starts_with("ApiKey realm="));
    assert_eq!(challenge, answer.status == 401, "{name}: {answer:?}");
    match case.field {
        Some(path) => assert!(body["fields"].get(path).is_some(), "{name}: {answer:?}"),
        None => assert!(body.get("fields").is_none_or(|fields| case.code == "validation_failed" && fields.is_object())),
    }
}

fn raw(cases: &mut Vec<Case>, name: &str, bytes: Vec<u8>, status: u16, code: &'static str) {
    cases.push(Case { name: name.to_owned(), bytes, status, code, field: None });
}

/// A post with the good key and these headers besides.
fn post(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers = [&[("X-API-Key", KEY)], headers].concat();
    client::request("POST /api/leads/ingest", &headers, Some(body))
}

fn callers(cases: &mut Vec<Case>) {
    let with = |headers: &[(&str, &str)]| client::request("POST /api/leads/ingest", headers, Some(b"{}"));
    let long = "k".repeat(300);
    raw(cases, "no key", with(&[JSON]), 401, "api_key_missing");
    raw(cases, "empty key", with(&[JSON, ("X-API-Key", "")]), 401, "api_key_missing");
    raw(cases, "wrong key", with(&[JSON, ("X-API-Key", "sk_wrong")]), 401, "api_key_invalid");
    raw(cases, "key in another case", with(&[JSON, ("X-API-Key", &KEY.to_uppercase())]), 401, "api_key_invalid");
    raw(cases, "key and more", with(&[JSON, ("X-API-Key", &format!("{KEY}x"))]), 401, "api_key_invalid");
    raw(cases, "endless key", with(&[JSON, ("X-API-Key", &long)]), 401, "api_key_invalid");
    raw(cases, "key not UTF-8", with(&[JSON, ("X-API-Key", "sk_é")]), 401, "api_key_invalid");
    raw(cases, "SQL for a key", with(&[JSON, ("X-API-Key", "' OR 1=1 --")]), 401, "api_key_invalid");
    raw(cases, "two keys", with(&[JSON, ("X-API-Key", KEY), ("X-API-Key", "sk_wrong")]), 400, "header_repeated");
    raw(cases, "key as bearer", with(&[JSON, ("Authorization", &format!("Bearer {KEY}"))]), 401, "api_key_missing");
    let query = format!("POST /api/leads/ingest?api_key={KEY}");
    raw(cases, "key in the query", client::request(&query, &[JSON], Some(b"{}")), 401, "api_key_missing");
}

fn heads(cases: &mut Vec<Case>, world: &World) {
    let good = world.lead("Doe").into_bytes();
    let long = "k".repeat(256);
    for (name, value) in
        [("no type", None), ("form", Some("application/x-www-form-urlencoded")), ("text", Some("text/plain"))]
            .into_iter()
            .chain([
                ("XML", Some("application/xml")),
                ("Latin-1", Some("application/json; charset=iso-8859-1")),
                ("junk", Some(";;")),
            ])
    {
        let headers: Vec<_> = value.map(|value| ("Content-Type", value)).into_iter().collect();
        raw(cases, &format!("content type: {name}"), post(&headers, &good), 415, "content_type_unsupported");
    }
    raw(cases, "gzip", post(&[JSON, ("Content-Encoding", "gzip")], &good), 415, "content_type_unsupported");
    raw(cases, "two types", post(&[JSON, ("Content-Type", "text/plain")], &good), 400, "header_repeated");
    for (name, key) in
        [("empty", ""), ("too long", long.as_str()), ("with a space", "a b"), ("not ASCII", "clé"), ("tab", "a\tb")]
    {
        let bytes = post(&[JSON, ("Idempotency-Key", key)], &good);
        raw(cases, &format!("idempotency key: {name}"), bytes, 400, "idempotency_key_invalid");
    }
    let two = post(&[JSON, ("Idempotency-Key", "a"), ("Idempotency-Key", "b")], &good);
    raw(cases, "two idempotency keys", two, 400, "header_repeated");
    let used = |extra: &[(&str, &str)], body: &str| {
        post(&[&[JSON, ("Idempotency-Key", "used")], extra].concat(), body.as_bytes())
    };
    let reused = "idempotency_key_reused";
    raw(cases, "used key, other body", used(&[], &world.lead("Roe")), 409, reused);
    raw(cases, "used key, other body, async", used(&[("Prefer", "respond-async")], &world.lead("Roe")), 409, reused);
    let reference = crate::world::body(world.tenant.campaign, "Doe", r#""reference":"used","#);
    raw(cases, "used key as reference, other body", post(&[JSON], reference.as_bytes()), 409, reused);
}

fn bodies(cases: &mut Vec<Case>, world: &World) {
    let good = world.lead("Doe").into_bytes();
    let malformed: [(&str, Vec<u8>); 17] = [
        ("empty", vec![]),
        ("white space", b" \r\n\t ".to_vec()),
        ("cut off", good[..good.len() - 5].to_vec()),
        ("trailing text", [&good[..], b" x"].concat()),
        ("two documents", [&good[..], &good[..]].concat()),
        ("trailing null byte", [&good[..], b"\0"].concat()),
        ("byte order mark", [b"\xef\xbb\xbf", &good[..]].concat()),
        ("NaN", br#"{"a":NaN}"#.to_vec()),
        ("Infinity", br#"{"a":-Infinity}"#.to_vec()),
        ("leading zero", br#"{"a":01}"#.to_vec()),
        ("hexadecimal", br#"{"a":0x1}"#.to_vec()),
        ("single quotes", br#"{'a':1}"#.to_vec()),
        ("trailing comma", br#"{"a":1,}"#.to_vec()),
        ("comment", br#"{/* */}"#.to_vec()),
        ("half a surrogate", br#"{"a":"\ud800"}"#.to_vec()),
        ("raw line end in a string", b"{\"a\":\"x\ny\"}".to_vec()),
        ("form", b"campaignId=x&data=y".to_vec()),
    ];
    for (name, body) in malformed {
        raw(cases, &format!("body: {name}"), post(&[JSON], &body), 400, "malformed_json");
    }
    for (name, body) in [
        ("stray byte", b"{\"a\":\"\xff\"}".to_vec()),
        ("overlong", b"{\"a\":\"\xc0\xaf\"}".to_vec()),
        ("UTF-16", good.iter().flat_map(|&byte| [byte, 0]).chain([0xff, 0xfe]).collect()),
    ] {
        raw(cases, &format!("not UTF-8: {name}"), post(&[JSON], &body), 400, "body_not_utf8");
    }
    for (name, body) in [
        ("arrays", format!(r#"{{"data":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000))),
        ("objects", format!(r#"{{"data":{}1{}}}"#, r#"{"a":"#.repeat(9_000), "}".repeat(9_000))),
        ("just too deep", format!(r#"{{"data":{}{}}}"#, "[".repeat(8), "]".repeat(8))),
    ] {
        raw(cases, &format!("deep: {name}"), post(&[JSON], body.as_bytes()), 400, "too_deep");
    }
    let twice = format!(r#"{{"campaignId":"{0}","campaignId":"{0}","data":{{}}}}"#, world.tenant.campaign);
    raw(cases, "a name twice", post(&[JSON], twice.as_bytes()), 400, "duplicate_name");
    raw(cases, "a name twice in data", post(&[JSON], br#"{"data":{"age":1,"\u0061ge":2}}"#), 400, "duplicate_name");

    let large = "body_too_large";
    let huge = format!(r#"{{"data":"{}"}}"#, "x".repeat(65 * 1024));
    raw(cases, "too large", post(&[JSON], huge.as_bytes()), 413, large);
    let head = |headers: &[(&str, &str)]| {
        client::request("POST /api/leads/ingest", &[&[("X-API-Key", KEY), JSON], headers].concat(), None)
    };
    raw(cases, "announced too large", head(&[("Content-Length", "99999999999")]), 413, large);
    let mut chunked = head(&[("Transfer-Encoding", "chunked")]);
    for _ in 0..65 {
        chunked.extend_from_slice(b"400\r\n");
        chunked.extend_from_slice(&[b' '; 1024]);
        chunked.extend_from_slice(b"\r\n");
    }
    raw(cases, "chunked without end", chunked, 413, large);
    let mut garbled = head(&[("Transfer-Encoding", "chunked")]);
    garbled.extend_from_slice(b"5\r\n{\"a\":\r\nzz\r\n");
    raw(cases, "chunks garbled", garbled, 400, "body_incomplete");
}

/// A post of `body` that is answered 422 and names `field`.
fn invalid(cases: &mut Vec<Case>, body: String, field: &'static str) {
    let name = format!("422 {field}: {}", body.chars().take(200).collect::<String>());
    let bytes = post(&[JSON], body.as_bytes());
    cases.push(Case { name, bytes, status: 422, code: "validation_failed", field: Some(field) });
}

fn envelopes(cases: &mut Vec<Case>, world: &World) {
    for body in ["[]", "null", "5", "\"x\"", "true", "[{}]"] {
        raw(cases, &format!("body is {body}"), post(&[JSON], body.as_bytes()), 422, "validation_failed");
    }
    let campaign = world.tenant.campaign;
    let unknown = leadflow_kernel::CampaignId::new();
    for id in [unknown, world.other.campaign, world.other.closed_campaign] {
        let body = crate::world::body(id, "Doe", "");
        raw(cases, "another's or no campaign", post(&[JSON], body.as_bytes()), 404, "campaign_unknown");
    }
    let closed = crate::world::body(world.tenant.closed_campaign, "Doe", "");
    raw(cases, "category not allowed", post(&[JSON], closed.as_bytes()), 403, "category_not_allowed");
    let category = world.tenant.closed_category;
    for (body, field) in [
        ("{}".to_owned(), "campaignId"),
        (r#"{"campaignId":null,"data":{}}"#.to_owned(), "campaignId"),
        (r#"{"campaignId":7,"data":{}}"#.to_owned(), "campaignId"),
        (r#"{"campaignId":"campaign_id","data":{}}"#.to_owned(), "campaignId"),
        (r#"{"campaignId":"1; DROP TABLE leads","data":{}}"#.to_owned(), "campaignId"),
        (format!(r#"{{"campaignId":["{campaign}"],"data":{{}}}}"#), "campaignId"),
        (format!(r#"{{"campaignId":"{}","data":{{}}}}"#, campaign.to_string().to_uppercase()), "campaignId"),
        (format!(r#"{{"campaignId":"{campaign}"}}"#), "data"),
        (format!(r#"{{"campaignId":"{campaign}","data":null}}"#), "data"),
        (format!(r#"{{"campaignId":"{campaign}","data":[]}}"#), "data"),
        (format!(r#"{{"campaignId":"{campaign}","data":"x"}}"#), "data"),
    ] {
        invalid(cases, body, field);
    }
    let long = format!(r#""reference":"{}","#, "r".repeat(256));
    for (more, field) in [
        (format!(r#""categoryId":"{category}","#), "categoryId"),
        (format!(r#""categoryId":"{}","#, world.other.category), "categoryId"),
        (r#""categoryId":5,"#.to_owned(), "categoryId"),
        (r#""test":"yes","#.to_owned(), "test"),
        (r#""test":1,"#.to_owned(), "test"),
        (r#""reference":"","#.to_owned(), "reference"),
        (r#""reference":{},"#.to_owned(), "reference"),
        (r#""reference":"a\u0000b","#.to_owned(), "reference"),
        (long, "reference"),
        (r#""price":-5,"#.to_owned(), "price"),
        (r#""sellerId":"x","#.to_owned(), "sellerId"),
        (r#""lead_id":"x","#.to_owned(), "lead_id"),
    ] {
        invalid(cases, crate::world::body(campaign, "Doe", &more), field);
    }
    for (state, quality, field) in [
        (r#""Atlantis""#, r#""HOT""#, "state"),
        ("6", r#""HOT""#, "state"),
        (r#"["CA"]"#, r#""HOT""#, "state"),
        (r#""CA""#, r#""BURNING""#, "quality"),
        (r#""CA""#, "1", "quality"),
        (r#""CA""#, r#"{"$gt":""}"#, "quality"),
    ] {
        let body = format!(r#"{{"campaignId":"{campaign}","state":{state},"quality":{quality},"data":{{}}}}"#);
        invalid(cases, body, field);
    }
}

fn data(cases: &mut Vec<Case>, world: &World) {
    let campaign = world.tenant.campaign;
    let with = |data: &str| format!(r#"{{"campaignId":"{campaign}","data":{data}}}"#);
    for missing in ["data.firstName", "data.lastName", "data.email", "data.phone", "data.age"] {
        invalid(cases, with("{}"), missing);
    }
    let text_4097 = format!("\"{}\"", "x".repeat(4097));
    for (name, value, field) in [
        ("firstName", "5", "data.firstName"),
        ("firstName", "[]", "data.firstName"),
        ("firstName", "null", "data.firstName"),
        ("firstName", r#""   ""#, "data.firstName"),
        ("firstName", r#""a\u0000""#, "data.firstName"),
        ("firstName", r#""a\u001b[2J""#, "data.firstName"),
        ("firstName", text_4097.as_str(), "data.firstName"),
        ("email", r#""not an email""#, "data.email"),
        ("email", r#""a@b""#, "data.email"),
        ("email", r#""a@example.com\nBcc: b@example.com""#, "data.email"),
        ("email", r#"{"$ne":null}"#, "data.email"),
        ("phone", r#""555""#, "data.phone"),
        ("phone", r#""+1""#, "data.phone"),
        ("phone", "1e10", "data.phone"),
        ("age", r#""NaN""#, "data.age"),
        ("age", r#""Infinity""#, "data.age"),
        ("age", "1e400", "data.age"),
        ("age", "-1e99999999999999999999", "data.age"),
        ("age", "99999999999999999999", "data.age"),
        ("age", r#""45 years""#, "data.age"),
        ("age", "true", "data.age"),
        ("age", "[45]", "data.age"),
        ("smoker", r#""maybe""#, "data.smoker"),
        ("smoker", "2", "data.smoker"),
        ("birthDate", r#""2023-02-29""#, "data.birthDate"),
        ("birthDate", r#""31/12/1960""#, "data.birthDate"),
        ("birthDate", "0", "data.birthDate"),
        ("home", r#""Ontario""#, "data.home"),
        ("zip", r#""1234""#, "data.zip"),
        ("zip", "-12345", "data.zip"),
        ("page", r#""javascript:alert(1)""#, "data.page"),
        ("page", r#""file:///etc/passwd""#, "data.page"),
        ("page", r#""http://user:pw@example.com""#, "data.page"),
        ("coverage", r#""None of them""#, "data.coverage"),
        ("coverage", "0", "data.coverage"),
        ("extra", "1e999", "data.extra"),
        ("extra", r#"{"deep":["\u0000"]}"#, "data.extra"),
        ("", "1", "data."),
    ] {
        invalid(cases, with(&format!(r#"{{"{name}":{value}}}"#)), field);
    }
    let many = (0..201).map(|n| format!(r#""f{n}":1"#)).collect::<Vec<_>>().join(",");
    invalid(cases, with(&format!("{{{many}}}")), "data");
}

fn addresses(cases: &mut Vec<Case>, world: &World) {
    let keyed = [("X-API-Key", KEY), JSON];
    let good = world.lead("Doe").into_bytes();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let bytes = client::request(&format!("{method} /api/leads/ingest"), &keyed, Some(&good));
        raw(cases, method, bytes, 405, "method_not_allowed");
    }
    let to_one =
        client::request(&format!("POST /api/leads/ingest/{}", leadflow_kernel::LeadId::new()), &keyed, Some(&good));
    raw(cases, "post to a lead", to_one, 405, "method_not_allowed");
    for path in [
        "/",
        "/api/leads",
        "/api/leads/ingest/",
        "/api/leads/ingest/x/y",
        "/api//leads/ingest",
        "/api/leads/ingest/../ingest",
    ] {
        let bytes = client::request(&format!("POST {path}"), &keyed, Some(&good));
        raw(cases, path, bytes, 404, "not_found");
    }
    for lead in
        ["nonsense", "%00", "%ff", "..%2f..%2fetc", "camp_01h455vb4pex5vsknk084sn02q", "lead_", &"x".repeat(5_000)]
    {
        let bytes = client::request(&format!("GET /api/leads/ingest/{lead}"), &keyed, None);
        raw(cases, &format!("GET {lead:.20}"), bytes, 404, "lead_unknown");
    }
    let unknown = leadflow_kernel::LeadId::new();
    let bytes = client::request(&format!("GET /api/leads/ingest/{unknown}"), &keyed, None);
    raw(cases, "an unknown lead", bytes, 404, "lead_unknown");
    for query in ["", "?", "?reference", "?reference=a&reference=b", "?other=1", "?reference=a&x=1", "?reference=%ff"] {
        let bytes = client::request(&format!("GET /api/leads/ingest{query}"), &keyed, None);
        let status = if query == "?reference" || query == "?reference=%ff" {
            (404, "lead_unknown")
        } else {
            (400, "query_invalid")
        };
        raw(cases, &format!("GET {query}"), bytes, status.0, status.1);
    }
    raw(
        cases,
        "look-up without a key",
        client::request("GET /api/leads/ingest?reference=a", &[], None),
        401,
        "api_key_missing",
    );
}
