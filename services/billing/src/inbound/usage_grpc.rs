//! The gRPC service about messages that sellers pay for.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_billing_domain::{Markups, UsageKind};
use leadflow_contracts::{billing as proto, events, money_to_proto, time_from_ms, time_to_ms};
use leadflow_kernel::Money;
use leadflow_platform::grpc::{actor, status, tenant};
use rust_decimal::Decimal;
use tonic::{Code, Request, Response, Status};

use super::convert::{invalid, refused};
use crate::{
    app::{
        AppError,
        usage::{Usage, UsageReport, UsageTerms},
    },
    store::usage_report::UsageSum,
};

/// The longest range of a report.
const LONGEST: TimeDelta = TimeDelta::days(24 * 30);
/// The end of the year 9999, in milliseconds since 1970.
const LATEST_MS: i64 = 253_402_300_799_999;
/// The highest markup, in percent.
const HIGHEST_MARKUP: u32 = 999;
/// Decimals that a markup may have.
const MARKUP_DECIMALS: u32 = 4;

/// Answers calls with the use cases.
pub struct UsageService {
    usage: Usage,
}

impl UsageService {
    /// Answers with `usage`.
    #[must_use]
    pub const fn new(usage: Usage) -> Self {
        Self { usage }
    }
}

fn database(error: sqlx::Error) -> Status {
    refused(&AppError::Database(error))
}

#[tonic::async_trait]
impl proto::usage_server::Usage for UsageService {
    async fn get_usage(
        &self,
        request: Request<proto::GetUsageRequest>,
    ) -> Result<Response<proto::GetUsageResponse>, Status> {
        let tenant = tenant(&request)?;
        let proto::GetUsageRequest { from_ms, until_ms } = *request.get_ref();
        let from = time(from_ms, "from_ms")?;
        let until = time(until_ms, "until_ms")?;
        if from >= until || until - from > LONGEST {
            return Err(invalid(format_args!(
                "until_ms: must be after from_ms, by at most {} days",
                LONGEST.num_days()
            )));
        }
        let last = until - TimeDelta::milliseconds(1);
        let report = self.usage.report(tenant, from, last).await.map_err(database)?;
        Ok(Response::new(report_to_proto(&report)?))
    }

    async fn get_usage_terms(
        &self,
        request: Request<proto::GetUsageTermsRequest>,
    ) -> Result<Response<proto::UsageTerms>, Status> {
        let terms = self.usage.terms(tenant(&request)?).await.map_err(database)?;
        Ok(Response::new(terms_to_proto(&terms)))
    }

    async fn set_usage_terms(
        &self,
        request: Request<proto::SetUsageTermsRequest>,
    ) -> Result<Response<proto::UsageTerms>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.get_ref();
        let markups = Markups {
            email: percent(request.email_markup_percent.as_deref(), "email_markup_percent")?,
            sms: percent(request.sms_markup_percent.as_deref(), "sms_markup_percent")?,
            webhook: percent(request.webhook_markup_percent.as_deref(), "webhook_markup_percent")?,
        };
        let terms = self.usage.set_markups(actor, tenant, markups).await.map_err(database)?;
        Ok(Response::new(terms_to_proto(&terms)))
    }
}

fn time(ms: i64, field: &'static str) -> Result<DateTime<Utc>, Status> {
    let time = if (1..=LATEST_MS).contains(&ms) { time_from_ms(ms) } else { None };
    time.ok_or_else(|| invalid(format_args!("{field}: must be a time before the year 10000")))
}

fn percent(text: Option<&str>, field: &'static str) -> Result<Option<Decimal>, Status> {
    text.map(|text| {
        Decimal::from_str_exact(text)
            .ok()
            .filter(|percent| !percent.is_sign_negative() && *percent <= HIGHEST_MARKUP.into())
            .filter(|percent| percent.normalize().scale() <= MARKUP_DECIMALS)
            .map(|percent| percent.normalize())
            .ok_or_else(|| {
                invalid(format_args!("{field}: must be 0 to {HIGHEST_MARKUP} with at most {MARKUP_DECIMALS} decimals"))
            })
    })
    .transpose()
}

const fn kind_to_proto(kind: UsageKind) -> events::UsageKind {
    match kind {
        UsageKind::Email => events::UsageKind::Email,
        UsageKind::Sms => events::UsageKind::Sms,
        UsageKind::Webhook => events::UsageKind::Webhook,
    }
}

fn exact(amount: Decimal) -> String {
    amount.normalize().to_string()
}

fn terms_to_proto(terms: &UsageTerms) -> proto::UsageTerms {
    let currency = terms.currency.code().to_owned();
    let terms = terms.terms.iter().map(|term| proto::UsageTerm {
        kind: kind_to_proto(term.kind).into(),
        cost: term.cost.map(exact).unwrap_or_default(),
        markup_percent: exact(term.markup_percent),
        usual: term.usual,
    });
    proto::UsageTerms { terms: terms.collect(), currency }
}

fn sum_to_proto(sum: &UsageSum) -> proto::UsageSum {
    proto::UsageSum {
        messages: sum.messages,
        units: sum.units,
        unpriced_units: sum.unpriced,
        base: exact(sum.base),
        markup: exact(sum.markup),
        total: exact(sum.base + sum.markup),
        posted: exact(sum.posted),
    }
}

fn report_to_proto(report: &UsageReport) -> Result<proto::GetUsageResponse, Status> {
    let month = |first: chrono::NaiveDate| first.format("%Y-%m").to_string();
    let whole = report.kinds.iter().fold(UsageSum::default(), |all, one| UsageSum {
        messages: all.messages + one.sum.messages,
        units: all.units + one.sum.units,
        unpriced: all.unpriced + one.sum.unpriced,
        base: all.base + one.sum.base,
        markup: all.markup + one.sum.markup,
        posted: all.posted + one.sum.posted,
    });
    let postings = report.postings.iter().map(|posted| {
        let amount = Money::new(posted.amount, report.currency).map_err(|error| {
            tracing::error!(%error, "a stored amount is out of range");
            status(Code::Internal, "internal", "something went wrong on our side")
        })?;
        Ok(proto::UsagePosting {
            month: month(posted.month),
            posting_id: posted.posting.to_string(),
            amount: Some(money_to_proto(amount)),
            at_ms: time_to_ms(posted.at),
        })
    });
    Ok(proto::GetUsageResponse {
        kinds: report
            .kinds
            .iter()
            .map(|one| proto::UsageOfKind {
                month: month(one.month),
                kind: kind_to_proto(one.kind).into(),
                sum: Some(sum_to_proto(&one.sum)),
            })
            .collect(),
        buyers: report
            .buyers
            .iter()
            .map(|(buyer, sum)| proto::UsageOfBuyer {
                buyer_id: buyer.map(|id| id.to_string()).unwrap_or_default(),
                sum: Some(sum_to_proto(sum)),
            })
            .collect(),
        sum: Some(sum_to_proto(&whole)),
        terms: Some(terms_to_proto(&report.terms)),
        postings: postings.collect::<Result<_, Status>>()?,
        currency: report.currency.code().to_owned(),
    })
}
