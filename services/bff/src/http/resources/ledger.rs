//! A seller's ledger as a file.

use std::time::Duration;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use leadflow_contracts::billing::{ExportLedgerRequest, LedgerFormat};
use leadflow_platform::ApiError;
use serde::Deserialize;
use tonic::{Status, Streaming};
use utoipa::ToSchema;

use super::{OK, SEEING_SELLERS};
use crate::http::{
    Api,
    input::Query,
    problem::{Problem, bad_query},
    session::Me,
    table::Route,
};

/// The media types.
const CSV: &str = "text/csv";
const TEXT: &str = "text/plain";
/// Seconds after which somebody may try again for whom there was no room.
const RETRY_SECONDS: u64 = 30;
/// The longest until the beginning of the file is there.
const BEGUN_WITHIN: Duration = Duration::from_secs(30);

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/api/reports/ledger.csv",
            SEEING_SELLERS,
            "The ledger as a file: every line of every posting",
            show,
        )
        .query::<Asked>()
        .answers_other(OK, "The file; it is whole when the connection ends as it should", CSV)
        .answers_other(OK, "The file", TEXT),
    ]
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// A row for each line: posting, time, kind, description, account, amount, currency, balance. Texts that a spreadsheet
    /// would take for formulas get an apostrophe.
    #[default]
    Csv,
    /// beancount's plain text.
    Beancount,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = LedgerQuestion)]
struct Asked {
    /// The first day, in UTC: `2026-11-01`. From the beginning when not given.
    from: Option<String>,
    /// The last day, in UTC, which is included. To this moment when not given.
    to: Option<String>,
    /// `csv` when not given.
    format: Option<Form>,
}

async fn show(State(api): State<Api>, me: Me, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let (from, to) = (day("from", asked.from)?, day("to", asked.to)?);
    if !from.is_empty() && !to.is_empty() && from > to {
        return Err(bad_query("from must not be after to"));
    }
    let form = asked.format.unwrap_or_default();
    let (format, media, ending) = match form {
        Form::Csv => (LedgerFormat::Csv, "text/csv; charset=utf-8", "csv"),
        Form::Beancount => (LedgerFormat::Beancount, "text/plain; charset=utf-8", "beancount"),
    };
    let name = ["ledger", from.as_str(), to.as_str()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let name = format!("attachment; filename=\"{}.{ending}\"", name.join("-"));
    let message = ExportLedgerRequest { format: format.into(), from, to };
    let request = api.services.request(me.tenant()?, message);
    let mut parts = api.services.ledger().export_ledger(request).await.map_err(refused)?.into_inner();
    // What is wrong from the beginning is told as any refusal; later, the connection ends before the file does.
    let first = tokio::time::timeout(BEGUN_WITHIN, parts.message()).await;
    let first = first.unwrap_or_else(|_| Err(Status::deadline_exceeded("the ledger takes too long")))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CONTENT_DISPOSITION, HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("attachment"))),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let first = stream::iter(first.map(|part| Ok::<Bytes, Status>(part.data)));
    Ok((headers, Body::from_stream(first.chain(rest(parts)))).into_response())
}

fn rest(
    parts: Streaming<leadflow_contracts::billing::LedgerPart>,
) -> impl futures::Stream<Item = Result<Bytes, Status>> {
    parts.map(|part| {
        part.map(|part| part.data).inspect_err(|status| tracing::warn!(%status, "a ledger's export ended early"))
    })
}

/// `2026-11-01`, or nothing.
fn day(name: &str, text: Option<String>) -> Result<String, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(String::new()) };
    let day = text.parse::<chrono::NaiveDate>().ok().filter(|day| (1970..=9999).contains(&chrono::Datelike::year(day)));
    let day = day.ok_or_else(|| bad_query(format!("{name} must be a day such as 2026-11-01")))?;
    Ok(day.to_string())
}

fn refused(status: Status) -> Problem {
    if leadflow_platform::grpc::stable_code(&status) == "too_many_exports" {
        let sentence = "other ledgers are being exported: try again in a minute";
        return Problem(ApiError::unavailable("too_many_exports", sentence, RETRY_SECONDS));
    }
    status.into()
}
