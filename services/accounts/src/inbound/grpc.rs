//! The gRPC service: reads requests, calls the use case, answers.

use leadflow_contracts::{
    accounts::{
        Buyer, CreateApiKeyRequest, CreateApiKeyResponse, CreateBuyerRequest, CreateSellerRequest,
        CreateSupplierRequest, GetBuyerRequest, GetSellerRequest, GetSupplierRequest, ListBuyersRequest,
        ListBuyersResponse, ListSellersRequest, ListSellersResponse, ListSuppliersRequest, ListSuppliersResponse,
        RevokeApiKeyRequest, RotateApiKeyRequest, Seller, SellerRow, Supplier, UpdateBuyerRequest, UpdateSellerRequest,
        UpdateSupplierRequest, accounts_server,
    },
    id,
};
use leadflow_kernel::{ApiKeyId, Id, Kind, SellerId, SupplierId};
use leadflow_platform::grpc::{actor, status, tenant};
use tonic::{Code, Request, Response, Status};

use super::convert;
use crate::app::{Accounts, Actor, OtherKeys};

/// The most records on one page.
const PAGE: u32 = 500;

/// Answers calls with the use cases.
pub struct Service {
    accounts: Accounts,
}

impl Service {
    /// Answers with `accounts`.
    #[must_use]
    pub const fn new(accounts: Accounts) -> Self {
        Self { accounts }
    }

    async fn issue(
        &self,
        actor: Actor,
        tenant: SellerId,
        supplier_id: &str,
        key_id: &str,
        others: OtherKeys,
    ) -> Result<Response<CreateApiKeyResponse>, Status> {
        let supplier: SupplierId = read(supplier_id, "supplier_id")?;
        let key: ApiKeyId = read(key_id, "key_id")?;
        let issued = self.accounts.issue_api_key(actor, tenant, supplier, key, others).await;
        let (text, supplier) = issued.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(CreateApiKeyResponse {
            api_key: text.reveal().to_owned(),
            supplier: Some(convert::supplier_to_proto(&supplier)),
        }))
    }
}

fn read<K: Kind>(text: &str, field: &'static str) -> Result<Id<K>, Status> {
    id(text, field).map_err(|e| convert::unreadable(&e))
}

/// Where a page begins and how long it is.
fn page<K: Kind>(limit: u32, after: &str) -> Result<(Option<Id<K>>, u32), Status> {
    if !(1..=PAGE).contains(&limit) {
        return Err(status(Code::InvalidArgument, "invalid_field", format_args!("limit must be 1 to {PAGE}")));
    }
    let after = if after.is_empty() { None } else { Some(read(after, "after")?) };
    Ok((after, limit))
}

/// A call on a seller's own record must be made in that seller's name.
fn own(tenant: SellerId, seller_id: &str) -> Result<(), Status> {
    let named: SellerId = read(seller_id, "seller_id")?;
    if named == tenant { Ok(()) } else { Err(status(Code::NotFound, "seller_not_found", "no such seller")) }
}

#[tonic::async_trait]
impl accounts_server::Accounts for Service {
    async fn create_seller(&self, request: Request<CreateSellerRequest>) -> Result<Response<Seller>, Status> {
        own(tenant(&request)?, &request.get_ref().seller_id)?;
        let actor = actor(&request)?;
        let new = convert::new_seller(request.get_ref())?;
        let seller = self.accounts.create_seller(actor, new).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::seller_to_proto(&seller)))
    }

    async fn update_seller(&self, request: Request<UpdateSellerRequest>) -> Result<Response<Seller>, Status> {
        let tenant = tenant(&request)?;
        let actor = actor(&request)?;
        own(tenant, &request.get_ref().seller_id)?;
        let change = convert::seller_change(request.get_ref())?;
        let seller = self.accounts.update_seller(actor, tenant, change).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::seller_to_proto(&seller)))
    }

    async fn list_sellers(
        &self,
        request: Request<ListSellersRequest>,
    ) -> Result<Response<ListSellersResponse>, Status> {
        let request = request.into_inner();
        let (after, limit) = page(request.limit, &request.after)?;
        let statuses = request.statuses.iter().map(|status| convert::status_from_proto(*status));
        let statuses = statuses.collect::<Result<Vec<_>, Status>>()?;
        let search = request.search.trim();
        let sellers = self.accounts.list_sellers(after, limit, search, &statuses).await;
        let sellers = sellers.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(ListSellersResponse { sellers: sellers.iter().map(convert::seller_row_to_proto).collect() }))
    }

    async fn get_seller(&self, request: Request<GetSellerRequest>) -> Result<Response<SellerRow>, Status> {
        let id = read(&request.get_ref().seller_id, "seller_id")?;
        let seller = self.accounts.seller(id).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::seller_row_to_proto(&seller)))
    }

    async fn create_buyer(&self, request: Request<CreateBuyerRequest>) -> Result<Response<Buyer>, Status> {
        let tenant = tenant(&request)?;
        let actor = actor(&request)?;
        let new = convert::new_buyer(request.get_ref())?;
        let buyer = self.accounts.create_buyer(actor, tenant, new).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::buyer_to_proto(&buyer)))
    }

    async fn update_buyer(&self, request: Request<UpdateBuyerRequest>) -> Result<Response<Buyer>, Status> {
        let tenant = tenant(&request)?;
        let actor = actor(&request)?;
        let request = request.into_inner();
        let buyer_id = read(&request.buyer_id, "buyer_id")?;
        let change = convert::buyer_change(&request)?;
        let buyer = self.accounts.update_buyer(actor, tenant, buyer_id, change, request.expected_version).await;
        Ok(Response::new(convert::buyer_to_proto(&buyer.map_err(|e| convert::refused(&e))?)))
    }

    async fn list_buyers(&self, request: Request<ListBuyersRequest>) -> Result<Response<ListBuyersResponse>, Status> {
        let tenant = tenant(&request)?;
        let request = request.into_inner();
        let (after, limit) = page(request.limit, &request.after)?;
        let buyers = self.accounts.list_buyers(tenant, after, limit).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(ListBuyersResponse { buyers: buyers.iter().map(convert::buyer_to_proto).collect() }))
    }

    async fn get_buyer(&self, request: Request<GetBuyerRequest>) -> Result<Response<Buyer>, Status> {
        let id = read(&request.get_ref().buyer_id, "buyer_id")?;
        let buyer = self.accounts.buyer(tenant(&request)?, id).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::buyer_to_proto(&buyer)))
    }

    async fn get_supplier(&self, request: Request<GetSupplierRequest>) -> Result<Response<Supplier>, Status> {
        let id = read(&request.get_ref().supplier_id, "supplier_id")?;
        let supplier = self.accounts.supplier(tenant(&request)?, id).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::supplier_to_proto(&supplier)))
    }

    async fn list_suppliers(
        &self,
        request: Request<ListSuppliersRequest>,
    ) -> Result<Response<ListSuppliersResponse>, Status> {
        let tenant = tenant(&request)?;
        let request = request.into_inner();
        let (after, limit) = page(request.limit, &request.after)?;
        let suppliers = self.accounts.list_suppliers(tenant, after, limit).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(ListSuppliersResponse {
            suppliers: suppliers.iter().map(convert::supplier_to_proto).collect(),
        }))
    }

    async fn create_supplier(&self, request: Request<CreateSupplierRequest>) -> Result<Response<Supplier>, Status> {
        let tenant = tenant(&request)?;
        let actor = actor(&request)?;
        let new = convert::new_supplier(request.get_ref())?;
        let supplier = self.accounts.create_supplier(actor, tenant, new).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::supplier_to_proto(&supplier)))
    }

    async fn update_supplier(&self, request: Request<UpdateSupplierRequest>) -> Result<Response<Supplier>, Status> {
        let tenant = tenant(&request)?;
        let actor = actor(&request)?;
        let request = request.into_inner();
        let supplier_id = read(&request.supplier_id, "supplier_id")?;
        let change = convert::supplier_change(&request)?;
        let expected = request.expected_version;
        let supplier = self.accounts.update_supplier(actor, tenant, supplier_id, change, expected).await;
        Ok(Response::new(convert::supplier_to_proto(&supplier.map_err(|e| convert::refused(&e))?)))
    }

    async fn create_api_key(
        &self,
        request: Request<CreateApiKeyRequest>,
    ) -> Result<Response<CreateApiKeyResponse>, Status> {
        let tenant = tenant(&request)?;
        let actor = actor(&request)?;
        let request = request.into_inner();
        self.issue(actor, tenant, &request.supplier_id, &request.key_id, OtherKeys::Keep).await
    }

    async fn rotate_api_key(
        &self,
        request: Request<RotateApiKeyRequest>,
    ) -> Result<Response<CreateApiKeyResponse>, Status> {
        let tenant = tenant(&request)?;
        let actor = actor(&request)?;
        let request = request.into_inner();
        let others = OtherKeys::EndAfter(request.overlap_seconds);
        self.issue(actor, tenant, &request.supplier_id, &request.key_id, others).await
    }

    async fn revoke_api_key(&self, request: Request<RevokeApiKeyRequest>) -> Result<Response<Supplier>, Status> {
        let tenant = tenant(&request)?;
        let actor = actor(&request)?;
        let request = request.into_inner();
        let supplier_id = read(&request.supplier_id, "supplier_id")?;
        let key_id = read(&request.key_id, "key_id")?;
        let supplier =
            self.accounts.revoke_api_key(actor, tenant, supplier_id, key_id).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::supplier_to_proto(&supplier)))
    }
}
