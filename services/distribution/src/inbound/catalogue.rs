//! The gRPC service of questions: reads requests, asks, answers.

use leadflow_contracts::distribution::{
    Category, GetCategoryRequest, GetSubscriptionRequest, ListCampaignsRequest, ListCampaignsResponse,
    ListCategoriesRequest, ListCategoriesResponse, ListLeadsRequest, ListLeadsResponse, ListPurchasesRequest,
    ListPurchasesResponse, MarkViewedRequest, Purchase, Subscription, SumByDayRequest, SumByDayResponse, SumByRequest,
    SumByResponse, catalogue_server,
};
use leadflow_distribution_domain::ask;
use leadflow_platform::grpc::tenant;
use tonic::{Request, Response, Status};

use super::{
    answers, asked,
    convert::{category_to_proto, invalid, read_id, refused, subscription_to_proto},
};
use crate::app::{AppError, Catalogue};

/// Categories in one answer.
const MAX_CATEGORIES: u32 = 500;
/// Campaigns, leads or purchases in one answer.
const MAX_ROWS: u32 = 200;

/// Answers calls from the catalogue.
pub struct CatalogueService {
    catalogue: Catalogue,
}

impl CatalogueService {
    /// Answers from `catalogue`.
    #[must_use]
    pub const fn new(catalogue: Catalogue) -> Self {
        Self { catalogue }
    }
}

fn limit(rows: u32, max: u32) -> Result<u32, Status> {
    ask::limit(rows, max).map_err(|error| invalid(&error))
}

pub(super) fn page(number: u32, rows: u32) -> Result<ask::Page, Status> {
    ask::page(number, rows, MAX_ROWS).map_err(|error| invalid(&error))
}

fn range(from_ms: i64, until_ms: i64) -> Result<ask::Range, Status> {
    ask::range(from_ms, until_ms).map_err(|error| invalid(&error))
}

/// A column that no version of this program writes.
fn unreadable(error: sqlx::Error) -> Status {
    refused(AppError::Database(error))
}

#[tonic::async_trait]
impl catalogue_server::Catalogue for CatalogueService {
    async fn get_category(&self, request: Request<GetCategoryRequest>) -> Result<Response<Category>, Status> {
        let id = read_id(&request.get_ref().category_id, "category_id")?;
        let category = self.catalogue.get_category(tenant(&request)?, id).await.map_err(refused)?;
        Ok(Response::new(category_to_proto(&category)))
    }

    async fn list_categories(
        &self,
        request: Request<ListCategoriesRequest>,
    ) -> Result<Response<ListCategoriesResponse>, Status> {
        let (seller, wanted) = (tenant(&request)?, request.get_ref());
        let after = asked::optional_id(&wanted.after, "after")?;
        let rows = limit(wanted.limit, MAX_CATEGORIES)?;
        let found =
            self.catalogue.list_categories(seller, wanted.include_archived, after, rows).await.map_err(refused)?;
        Ok(Response::new(ListCategoriesResponse { categories: found.iter().map(category_to_proto).collect() }))
    }

    async fn list_campaigns(
        &self,
        request: Request<ListCampaignsRequest>,
    ) -> Result<Response<ListCampaignsResponse>, Status> {
        let (seller, wanted) = (tenant(&request)?, request.get_ref());
        let rows = limit(wanted.limit, MAX_ROWS)?;
        let (filter, shown) = (asked::campaigns(wanted, rows)?, asked::shown(wanted)?);
        let found = self.catalogue.list_campaigns(seller, &filter, shown).await.map_err(refused)?;
        Ok(Response::new(ListCampaignsResponse { campaigns: found.iter().map(answers::campaign).collect() }))
    }

    async fn get_subscription(
        &self,
        request: Request<GetSubscriptionRequest>,
    ) -> Result<Response<Subscription>, Status> {
        let id = read_id(&request.get_ref().subscription_id, "subscription_id")?;
        let (found, sold) = self.catalogue.get_subscription(tenant(&request)?, id).await.map_err(refused)?;
        Ok(Response::new(subscription_to_proto(&found, sold)))
    }

    async fn list_leads(&self, request: Request<ListLeadsRequest>) -> Result<Response<ListLeadsResponse>, Status> {
        let (seller, wanted) = (tenant(&request)?, request.get_ref());
        let page = page(wanted.page, wanted.limit)?;
        let filter = asked::leads(wanted)?;
        let found = self.catalogue.list_leads(seller, &filter, page).await.map_err(refused)?;
        let leads = found.leads.into_iter().map(|(lead, sales)| answers::lead(lead, sales)).collect::<Result<_, _>>();
        Ok(Response::new(ListLeadsResponse { leads: leads.map_err(unreadable)?, total: found.total }))
    }

    async fn list_purchases(
        &self,
        request: Request<ListPurchasesRequest>,
    ) -> Result<Response<ListPurchasesResponse>, Status> {
        let (seller, wanted) = (tenant(&request)?, request.get_ref());
        let page = page(wanted.page, wanted.limit)?;
        let filter = asked::purchases(wanted)?;
        let found = self.catalogue.list_purchases(seller, &filter, page).await.map_err(refused)?;
        let purchases = found.purchases.into_iter().map(answers::purchase).collect::<Result<_, _>>();
        Ok(Response::new(ListPurchasesResponse { purchases: purchases.map_err(unreadable)?, total: found.total }))
    }

    async fn mark_viewed(&self, request: Request<MarkViewedRequest>) -> Result<Response<Purchase>, Status> {
        let (seller, wanted) = (tenant(&request)?, request.get_ref());
        let buyer = read_id(&wanted.buyer_id, "buyer_id")?;
        let id = read_id(&wanted.assignment_id, "assignment_id")?;
        let found = self.catalogue.mark_viewed(seller, buyer, id).await.map_err(refused)?;
        Ok(Response::new(answers::purchase(found).map_err(unreadable)?))
    }

    async fn sum_by_day(&self, request: Request<SumByDayRequest>) -> Result<Response<SumByDayResponse>, Status> {
        let (seller, wanted) = (tenant(&request)?, request.get_ref());
        let range = range(wanted.from_ms, wanted.until_ms)?;
        let whose = asked::whose(wanted)?;
        let found = self.catalogue.sum_by_day(seller, range, whose).await.map_err(refused)?;
        Ok(Response::new(answers::days(&found).map_err(unreadable)?))
    }

    async fn sum_by(&self, request: Request<SumByRequest>) -> Result<Response<SumByResponse>, Status> {
        let (seller, wanted) = (tenant(&request)?, request.get_ref());
        let range = range(wanted.from_ms, wanted.until_ms)?;
        let (by, ids) = asked::by(wanted)?;
        let buyer = asked::optional_id(&wanted.buyer_id, "buyer_id")?;
        let found = self.catalogue.sum_by(seller, range, by, buyer, &ids).await.map_err(refused)?;
        Ok(Response::new(answers::sums(&found, by).map_err(unreadable)?))
    }
}
