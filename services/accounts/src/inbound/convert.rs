//! Between the contract's messages and the domain's values.

use leadflow_accounts_domain::{
    Buyer, BuyerChange, Categories, FeePercent, Invalid, LimitChange, Name, NewBuyer, NewSeller, NewSupplier,
    PostsPerSecond, Priority, Refusal, RetentionDays, Seller, SellerChange, SpendingLimit, Status, Supplier,
    SupplierChange, TimeZone,
};
use leadflow_contracts::{ConvertError, accounts as proto, common, id, money_to_proto, time_to_ms};
use leadflow_kernel::CategoryId;
use leadflow_platform::{db::is_passing, grpc::status};
use tonic::Code;

use crate::{app::AppError, store::tenants::SellerRow, wire::status_to_proto};

/// A request that cannot be read.
pub(super) fn unreadable(error: &ConvertError) -> tonic::Status {
    status(Code::InvalidArgument, "invalid_field", error)
}

pub(super) fn invalid(error: &Invalid) -> tonic::Status {
    status(Code::InvalidArgument, "invalid_field", error)
}

/// The answer to a command that was not carried out. What is our own fault is logged here, once.
pub(super) fn refused(error: &AppError) -> tonic::Status {
    match error {
        AppError::NotFound(what) => status(Code::NotFound, &format!("{what}_not_found"), error),
        AppError::AlreadyExists(what) => status(Code::AlreadyExists, &format!("{what}_exists"), error),
        AppError::Refused(refusal) => match refusal {
            Refusal::Invalid(error) => invalid(error),
            Refusal::Archived { what } => status(Code::FailedPrecondition, &format!("{what}_archived"), refusal),
            Refusal::KeyExists => status(Code::AlreadyExists, "api_key_exists", refusal),
            Refusal::KeyUnknown => status(Code::NotFound, "api_key_not_found", refusal),
            Refusal::TooManyKeys { .. } => status(Code::FailedPrecondition, "too_many_api_keys", refusal),
        },
        AppError::ChangedMeanwhile => status(Code::Aborted, "changed_meanwhile", error),
        AppError::Database(cause) => database(cause),
        AppError::Randomness(_) => internal(error),
    }
}

/// The answer when PostgreSQL did not do what it was asked.
pub(super) fn database(cause: &sqlx::Error) -> tonic::Status {
    if is_passing(cause) {
        tracing::warn!(error = %cause, "database not available");
        return status(Code::Unavailable, "database_unavailable", "the database cannot be reached; try again");
    }
    tracing::error!(error = %cause, "database error");
    status(Code::Internal, "internal", "something went wrong on our side")
}

/// The answer when something went wrong that nobody asked for.
pub(super) fn internal(error: &dyn std::error::Error) -> tonic::Status {
    tracing::error!(error = %error, "internal error");
    status(Code::Internal, "internal", "something went wrong on our side")
}

pub(super) fn status_from_proto(number: i32) -> Result<Status, tonic::Status> {
    match common::Status::try_from(number) {
        Ok(common::Status::Active) => Ok(Status::Active),
        Ok(common::Status::Paused) => Ok(Status::Paused),
        Ok(common::Status::Archived) => Ok(Status::Archived),
        Ok(common::Status::Unspecified) | Err(_) => Err(status(
            Code::InvalidArgument,
            "invalid_field",
            "status must be STATUS_ACTIVE, STATUS_PAUSED or STATUS_ARCHIVED",
        )),
    }
}

pub(super) fn limit(
    field: &'static str,
    money: Option<&common::Money>,
) -> Result<Option<SpendingLimit>, tonic::Status> {
    money.map(|m| SpendingLimit::parse(field, &m.amount, &m.currency)).transpose().map_err(|e| invalid(&e))
}

fn categories(ids: &[String]) -> Result<Categories, tonic::Status> {
    let ids = ids
        .iter()
        .map(|text| id(text, "category_ids"))
        .collect::<Result<Vec<CategoryId>, _>>()
        .map_err(|e| unreadable(&e))?;
    Categories::new(ids).map_err(|e| invalid(&e))
}

pub(super) fn new_seller(request: &proto::CreateSellerRequest) -> Result<NewSeller, tonic::Status> {
    NewSeller::parse(
        id(&request.seller_id, "seller_id").map_err(|e| unreadable(&e))?,
        &request.company_name,
        &request.time_zone,
        &request.currency,
        &request.platform_fee_percent,
        request.posts_per_second,
    )
    .map_err(|e| invalid(&e))
}

pub(super) fn seller_change(request: &proto::UpdateSellerRequest) -> Result<SellerChange, tonic::Status> {
    // An empty text would otherwise stand for the default here, as it does at creation.
    let given = |text: &Option<String>| text.clone().map(|text| if text.is_empty() { " ".to_owned() } else { text });
    let change = || {
        Ok(SellerChange {
            company_name: request.company_name.as_deref().map(|t| Name::parse("company_name", t)).transpose()?,
            status: None,
            time_zone: given(&request.time_zone).map(|t| TimeZone::parse("time_zone", &t)).transpose()?,
            fee: given(&request.platform_fee_percent)
                .map(|t| FeePercent::parse("platform_fee_percent", &t))
                .transpose()?,
            posts_per_second: request
                .posts_per_second
                .map(|n| PostsPerSecond::new("posts_per_second", n))
                .transpose()?,
            retention: request.retention_days.map(|n| RetentionDays::new("retention_days", n)).transpose()?,
        })
    };
    let change: SellerChange = change().map_err(|e: Invalid| invalid(&e))?;
    Ok(SellerChange { status: request.status.map(status_from_proto).transpose()?, ..change })
}

pub(super) fn seller_to_proto(seller: &Seller) -> proto::Seller {
    proto::Seller {
        seller_id: seller.id.to_string(),
        company_name: seller.company_name.as_str().to_owned(),
        status: status_to_proto(seller.status).into(),
        time_zone: seller.time_zone.name().to_owned(),
        currency: seller.currency.code().to_owned(),
        platform_fee_percent: seller.fee.to_string(),
        posts_per_second: seller.posts_per_second.get(),
        version: seller.version,
        retention_days: seller.retention.get(),
    }
}

/// 0 is the usual one.
pub(super) fn priority(number: u32) -> Result<Priority, tonic::Status> {
    if number == 0 { Ok(Priority::DEFAULT) } else { Priority::new("priority", number).map_err(|e| invalid(&e)) }
}

pub(super) fn new_buyer(request: &proto::CreateBuyerRequest) -> Result<NewBuyer, tonic::Status> {
    Ok(NewBuyer {
        id: id(&request.buyer_id, "buyer_id").map_err(|e| unreadable(&e))?,
        company_name: Name::parse("company_name", &request.company_name).map_err(|e| invalid(&e))?,
        priority: priority(request.priority)?,
        weekly_limit: limit("weekly_spending_limit", request.weekly_spending_limit.as_ref())?,
        monthly_limit: limit("monthly_spending_limit", request.monthly_spending_limit.as_ref())?,
    })
}

pub(super) fn buyer_change(request: &proto::UpdateBuyerRequest) -> Result<BuyerChange, tonic::Status> {
    let limit_change = |field, money: Option<&common::Money>, clear| {
        LimitChange::new(field, limit(field, money)?, clear).map_err(|e| invalid(&e))
    };
    Ok(BuyerChange {
        company_name: request
            .company_name
            .as_deref()
            .map(|t| Name::parse("company_name", t))
            .transpose()
            .map_err(|e| invalid(&e))?,
        status: request.status.map(status_from_proto).transpose()?,
        priority: request.priority.map(|n| Priority::new("priority", n)).transpose().map_err(|e| invalid(&e))?,
        weekly_limit: limit_change(
            "weekly_spending_limit",
            request.weekly_spending_limit.as_ref(),
            request.clear_weekly_spending_limit,
        )?,
        monthly_limit: limit_change(
            "monthly_spending_limit",
            request.monthly_spending_limit.as_ref(),
            request.clear_monthly_spending_limit,
        )?,
    })
}

pub(super) fn buyer_to_proto(buyer: &Buyer) -> proto::Buyer {
    proto::Buyer {
        buyer_id: buyer.id.to_string(),
        seller_id: buyer.seller_id.to_string(),
        company_name: buyer.company_name.as_str().to_owned(),
        status: status_to_proto(buyer.status).into(),
        priority: buyer.priority.get().into(),
        weekly_spending_limit: buyer.weekly_limit.map(|l| money_to_proto(l.money())),
        monthly_spending_limit: buyer.monthly_limit.map(|l| money_to_proto(l.money())),
        version: buyer.version,
    }
}

pub(super) fn new_supplier(request: &proto::CreateSupplierRequest) -> Result<NewSupplier, tonic::Status> {
    Ok(NewSupplier {
        id: id(&request.supplier_id, "supplier_id").map_err(|e| unreadable(&e))?,
        name: Name::parse("name", &request.name).map_err(|e| invalid(&e))?,
        categories: categories(&request.category_ids)?,
        posts_per_second: PostsPerSecond::new("posts_per_second", request.posts_per_second).map_err(|e| invalid(&e))?,
    })
}

pub(super) fn supplier_change(request: &proto::UpdateSupplierRequest) -> Result<SupplierChange, tonic::Status> {
    Ok(SupplierChange {
        name: request.name.as_deref().map(|t| Name::parse("name", t)).transpose().map_err(|e| invalid(&e))?,
        status: request.status.map(status_from_proto).transpose()?,
        categories: request.categories.as_ref().map(|list| categories(&list.category_ids)).transpose()?,
        posts_per_second: request
            .posts_per_second
            .map(|n| PostsPerSecond::new("posts_per_second", n))
            .transpose()
            .map_err(|e| invalid(&e))?,
    })
}

pub(super) fn supplier_to_proto(supplier: &Supplier) -> proto::Supplier {
    proto::Supplier {
        supplier_id: supplier.id.to_string(),
        seller_id: supplier.seller_id.to_string(),
        name: supplier.name.as_str().to_owned(),
        status: status_to_proto(supplier.status).into(),
        category_ids: supplier.categories.ids().iter().map(ToString::to_string).collect(),
        keys: supplier
            .keys
            .iter()
            .map(|key| proto::ApiKeyInfo {
                key_id: key.id.to_string(),
                hint: key.hint.clone(),
                created_at_ms: time_to_ms(key.created_at),
                expires_at_ms: key.expires_at.map_or(0, time_to_ms),
                revoked_at_ms: key.revoked_at.map_or(0, time_to_ms),
            })
            .collect(),
        posts_per_second: supplier.posts_per_second.get(),
        version: supplier.version,
    }
}

pub(super) fn seller_row_to_proto(row: &SellerRow) -> proto::SellerRow {
    proto::SellerRow {
        seller: Some(seller_to_proto(&row.seller)),
        created_at_ms: time_to_ms(row.created_at),
        owner_email: row.owner_email.clone(),
        team_count: row.team,
        buyer_count: row.buyers,
        supplier_count: row.suppliers,
    }
}
