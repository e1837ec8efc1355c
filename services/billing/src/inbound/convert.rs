//! Between the contract's messages and the domain's values.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::{HoldOutcome, HoldRequest, Period, Price, RefundError, Wallet};
use leadflow_contracts::{ConvertError, billing as proto, common, id, money, money_to_proto, time_to_ms};
use leadflow_kernel::{BuyerId, Currency, Id, Kind, Money, SellerId};
use leadflow_platform::{db, grpc::status};
use tonic::{Code, Status, metadata::MetadataValue};

use crate::{
    app::{AppError, NewCredit, Page, payments::PaymentError},
    outbound::{events::amount, provider::ProviderError},
    store::statement::Line,
};

/// The most a single credit may add, either way of reading it: a slip of the keyboard stops here.
const LARGEST_CREDIT: u32 = 100_000_000;
const LONGEST_REQUEST_ID: usize = 200;
/// The longest reason or description, in characters.
pub(super) const LONGEST_DESCRIPTION: usize = 500;

/// A field that is not what the contract says.
pub(super) fn invalid(sentence: impl std::fmt::Display) -> Status {
    status(Code::InvalidArgument, "invalid_field", sentence)
}

pub(super) fn read_id<K: Kind>(text: &str, field: &'static str) -> Result<Id<K>, Status> {
    id(text, field).map_err(invalid)
}

pub(super) fn read_money(value: Option<&common::Money>, field: &'static str) -> Result<Money, Status> {
    money(value, field).map_err(|error: ConvertError| invalid(error))
}

pub(super) fn read_price(value: Option<&common::Money>, field: &'static str) -> Result<Price, Status> {
    Price::new(read_money(value, field)?).map_err(|_| invalid(format_args!("{field}: must not be negative")))
}

/// The answer to a command that was not carried out. What is our own fault is logged here, once.
pub(super) fn refused(error: &AppError) -> Status {
    match error {
        AppError::NoSuchWallet => status(Code::NotFound, "wallet_not_found", error),
        AppError::CreditExists => status(Code::AlreadyExists, "credit_exists", error),
        AppError::Credit(_) | AppError::Currency | AppError::NoSuchLine => invalid(error),
        AppError::Payment(refusal) => payment_refused(refusal),
        AppError::CardMoney(_) | AppError::Amount(_) => {
            tracing::error!(%error, "an amount is out of range");
            status(Code::Internal, "internal", "something went wrong on our side")
        }
        AppError::Provider(ProviderError::NotConfigured) => {
            status(Code::FailedPrecondition, "payments_not_configured", "card payments are not configured")
        }
        AppError::Provider(ProviderError::Refused { code, .. }) => {
            tracing::warn!(%error, "the payment provider refused");
            status(Code::FailedPrecondition, "payment_refused", format_args!("the payment provider refused: {code}"))
        }
        AppError::Provider(ProviderError::Busy(_) | ProviderError::Unknown(_)) => {
            tracing::warn!(%error, "the payment provider does not answer");
            status(Code::Unavailable, "provider_unavailable", "the payment provider does not answer; try again")
        }
        AppError::Database(cause) => database(cause),
    }
}

/// The answer when PostgreSQL did not do what was asked.
pub(super) fn database(cause: &sqlx::Error) -> Status {
    if is_passing(cause) {
        tracing::warn!(error = %cause, "database not available");
        status(Code::Unavailable, "database_unavailable", "the database cannot be reached; try again")
    } else {
        tracing::error!(error = %cause, "database error");
        status(Code::Internal, "internal", "something went wrong on our side")
    }
}

/// How long a throttled caller is to wait.
const RETRY_AFTER: &str = "retry-after-seconds";

fn payment_refused(error: &PaymentError) -> Status {
    let (code, word) = match error {
        PaymentError::NoSuchPayment => (Code::NotFound, "payment_not_found"),
        PaymentError::NoSuchCard => (Code::NotFound, "card_not_found"),
        PaymentError::PaymentExists => (Code::AlreadyExists, "payment_exists"),
        PaymentError::RefundExists => (Code::AlreadyExists, "refund_exists"),
        PaymentError::NoCard => (Code::FailedPrecondition, "no_card"),
        PaymentError::TooManyAttempts { .. } => (Code::ResourceExhausted, "too_many_card_attempts"),
        PaymentError::TooManyCards => (Code::FailedPrecondition, "too_many_cards"),
        PaymentError::Refund(RefundError::Unspent(_)) => (Code::FailedPrecondition, "insufficient_balance"),
        PaymentError::Refund(RefundError::NotFromCards(_)) => (Code::FailedPrecondition, "not_refundable"),
        PaymentError::Refund(RefundError::NotPositive) | PaymentError::Bounds(_) | PaymentError::Setting(_) => {
            (Code::InvalidArgument, "invalid_field")
        }
    };
    let mut refusal = status(code, word, error);
    if let PaymentError::TooManyAttempts { seconds } = error {
        refusal.metadata_mut().insert(RETRY_AFTER, MetadataValue::from(*seconds));
    }
    refusal
}

/// Whether the same call may succeed later: the database is away, or a race that the retry sees decided.
fn is_passing(error: &sqlx::Error) -> bool {
    db::is_passing(error) || error.as_database_error().is_some_and(|database| database.is_unique_violation())
}

pub(super) fn hold_request(tenant: SellerId, hold: &proto::HoldRequest) -> Result<HoldRequest, Status> {
    Ok(HoldRequest {
        id: read_id(&hold.hold_id, "holds.hold_id")?,
        seller: tenant,
        buyer: read_id(&hold.buyer_id, "holds.buyer_id")?,
        lead: read_id(&hold.lead_id, "holds.lead_id")?,
        campaign: read_id(&hold.campaign_id, "holds.campaign_id")?,
        price: read_price(hold.amount.as_ref(), "holds.amount")?,
    })
}

pub(super) const fn outcome_to_proto(outcome: HoldOutcome) -> proto::HoldOutcome {
    match outcome {
        HoldOutcome::Held => proto::HoldOutcome::Held,
        HoldOutcome::InsufficientFunds => proto::HoldOutcome::InsufficientFunds,
        HoldOutcome::WeeklyLimit => proto::HoldOutcome::WeeklyLimit,
        HoldOutcome::MonthlyLimit => proto::HoldOutcome::MonthlyLimit,
        HoldOutcome::WalletBlocked => proto::HoldOutcome::WalletBlocked,
        HoldOutcome::AlreadyCaptured => proto::HoldOutcome::AlreadyCaptured,
    }
}

pub(super) fn new_credit(tenant: SellerId, request: proto::CreditWalletRequest) -> Result<NewCredit, Status> {
    let buyer = read_id(&request.buyer_id, "buyer_id")?;
    let amount = read_money(request.amount.as_ref(), "amount")?;
    if !amount.is_positive() || amount.amount() > LARGEST_CREDIT.into() {
        return Err(invalid(format_args!("amount: must be more than zero and at most {LARGEST_CREDIT}")));
    }
    let id = callers_id(request.credit_id, "credit_id")?;
    if request.description.chars().count() > LONGEST_DESCRIPTION || has_controls(&request.description) {
        return Err(invalid(format_args!("description: must be at most {LONGEST_DESCRIPTION} printable characters")));
    }
    Ok(NewCredit { seller: tenant, buyer, id, amount, description: request.description })
}

/// An id that the caller made.
fn callers_id(text: String, field: &str) -> Result<String, Status> {
    if !(1..=LONGEST_REQUEST_ID).contains(&text.chars().count()) || has_controls(&text) {
        return Err(invalid(format_args!("{field}: must be 1 to {LONGEST_REQUEST_ID} printable characters")));
    }
    Ok(text)
}

/// The id that a caller gave his request.
pub(super) fn request_id(text: String) -> Result<String, Status> {
    callers_id(text, "request_id")
}

pub(super) fn has_controls(text: &str) -> bool {
    text.chars().any(char::is_control)
}

pub(super) fn threshold(request: &proto::SetLowBalanceThresholdRequest) -> Result<(BuyerId, Price), Status> {
    Ok((read_id(&request.buyer_id, "buyer_id")?, read_price(request.threshold.as_ref(), "threshold")?))
}

pub(super) fn wallet_to_proto(wallet: &Wallet, now: DateTime<Utc>) -> proto::Wallet {
    let current = Period::at(now, wallet.terms.time_zone);
    proto::Wallet {
        buyer_id: wallet.buyer.to_string(),
        seller_id: wallet.seller.to_string(),
        balance: Some(amount(wallet, wallet.balance)),
        held: Some(amount(wallet, wallet.held)),
        available: Some(amount(wallet, wallet.available())),
        low_balance_threshold: Some(amount(wallet, wallet.low_balance_threshold)),
        weekly_limit: wallet.weekly_limit.map(|limit| amount(wallet, limit)),
        monthly_limit: wallet.monthly_limit.map(|limit| amount(wallet, limit)),
        spent_this_week: Some(amount(wallet, wallet.week.in_window(current.week_start))),
        spent_this_month: Some(amount(wallet, wallet.month.in_window(current.month_start))),
        suspended: wallet.suspended,
    }
}

/// A line of a statement.
pub(super) fn line_to_proto(line: &Line, currency: Currency) -> Result<proto::Transaction, Status> {
    let money = |amount| {
        Money::new(amount, currency).map(|money| Some(money_to_proto(money))).map_err(|error| {
            tracing::error!(%error, "a stored amount is out of range");
            status(Code::Internal, "internal", "something went wrong on our side")
        })
    };
    Ok(proto::Transaction {
        id: line.posting.to_string(),
        r#type: line.kind.to_uppercase(),
        amount: money(line.amount)?,
        balance_before: money(line.balance_after - line.amount)?,
        balance_after: money(line.balance_after)?,
        description: line.description.clone(),
        assignment_id: line.assignment.map(|id| id.to_string()).unwrap_or_default(),
        payment_intent_id: line.intent.clone().unwrap_or_default(),
        created_at_ms: time_to_ms(line.at),
    })
}

pub(super) fn page_to_proto(page: &Page) -> Result<proto::ListTransactionsResponse, Status> {
    let transactions = page.lines.iter().map(|line| line_to_proto(line, page.currency)).collect::<Result<_, _>>()?;
    Ok(proto::ListTransactionsResponse { transactions })
}
