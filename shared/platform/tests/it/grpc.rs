use std::time::Duration;

use leadflow_contracts::accounts::{
    self as api,
    accounts_client::AccountsClient,
    accounts_server::{Accounts, AccountsServer},
};
use leadflow_kernel::SellerId;
use leadflow_platform::{
    Shutdown,
    audit::{Actor, ActorRole},
    grpc,
};
use tokio::net::TcpListener;
use tonic::{Code, Request, Response, Status};

/// Answers who it was called for.
struct Echo;

macro_rules! refuse {
    ($($method:ident: $request:ident -> $response:ident;)*) => {
        #[tonic::async_trait]
        impl Accounts for Echo {
            async fn create_seller(&self, request: Request<api::CreateSellerRequest>) -> Result<Response<api::Seller>, Status> {
                let tenant = grpc::tenant(&request)?;
                let trace = grpc::traceparent(&request).unwrap_or_default().to_owned();
                Ok(Response::new(api::Seller { seller_id: tenant.to_string(), company_name: trace, ..Default::default() }))
            }
            $(async fn $method(&self, _: Request<api::$request>) -> Result<Response<api::$response>, Status> {
                Err(grpc::status(Code::FailedPrecondition, "not_here", "this test has no such call"))
            })*
        }
    };
}
refuse! {
    update_seller: UpdateSellerRequest -> Seller;
    list_sellers: ListSellersRequest -> ListSellersResponse;
    get_seller: GetSellerRequest -> SellerRow;
    create_buyer: CreateBuyerRequest -> Buyer;
    update_buyer: UpdateBuyerRequest -> Buyer;
    get_buyer: GetBuyerRequest -> Buyer;
    list_buyers: ListBuyersRequest -> ListBuyersResponse;
    create_supplier: CreateSupplierRequest -> Supplier;
    update_supplier: UpdateSupplierRequest -> Supplier;
    get_supplier: GetSupplierRequest -> Supplier;
    list_suppliers: ListSuppliersRequest -> ListSuppliersResponse;
    create_api_key: CreateApiKeyRequest -> CreateApiKeyResponse;
    rotate_api_key: RotateApiKeyRequest -> CreateApiKeyResponse;
    revoke_api_key: RevokeApiKeyRequest -> Supplier;
}

pub async fn serve(token: &str) -> (String, Shutdown) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut routes = grpc::builder().unwrap();
    let guard = grpc::guard(&grpc::ServiceToken::new(token));
    routes.add_service(AccountsServer::with_interceptor(Echo, guard));
    let shutdown = Shutdown::new();
    tokio::spawn(grpc::serve(listener, routes, shutdown.clone()));
    (url, shutdown)
}

pub fn caller(token: &str) -> grpc::Caller {
    grpc::Caller::new(grpc::ServiceToken::new(token))
}

#[tokio::test]
async fn only_the_right_token_gets_in() {
    let (url, _shutdown) = serve("the-right-token-1").await;
    let mut client = AccountsClient::new(grpc::channel(&url, "ACCOUNTS_GRPC_URL").unwrap());
    let call = |token: &str| {
        caller(token).request(api::CreateSellerRequest::default(), SellerId::new(), Duration::from_secs(5))
    };
    for wrong in ["the-right-token-2", "the-right-token", ""] {
        let status = client.create_seller(call(wrong)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(grpc::stable_code(&status), "bad_service_token");
    }
    let naked = client.create_seller(api::CreateSellerRequest::default()).await.unwrap_err();
    assert_eq!(naked.code(), Code::Unauthenticated);
    assert!(client.create_seller(call("the-right-token-1")).await.is_ok());
}

#[tokio::test]
async fn a_server_without_a_token_lets_nobody_in() {
    let (url, _shutdown) = serve("").await;
    let mut client = AccountsClient::new(grpc::channel(&url, "ACCOUNTS_GRPC_URL").unwrap());
    let request = caller("").request(api::CreateSellerRequest::default(), SellerId::new(), Duration::from_secs(5));
    assert_eq!(client.create_seller(request).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn tenant_and_trace_arrive() {
    let (url, _shutdown) = serve("the-right-token-1").await;
    let mut client = AccountsClient::new(grpc::channel(&url, "ACCOUNTS_GRPC_URL").unwrap());
    let (tenant, trace) = (SellerId::new(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let request = caller("the-right-token-1").traced(
        api::CreateSellerRequest::default(),
        tenant,
        Duration::from_secs(5),
        Some(trace),
    );
    let seller = client.create_seller(request).await.unwrap().into_inner();
    assert_eq!((seller.seller_id, seller.company_name), (tenant.to_string(), trace.to_owned()));
    let mut without = Request::new(api::CreateSellerRequest::default());
    without.metadata_mut().insert("authorization", "Bearer the-right-token-1".parse().unwrap());
    let status = client.create_seller(without).await.unwrap_err();
    assert_eq!((status.code(), grpc::stable_code(&status)), (Code::InvalidArgument, "tenant_missing"));
}

#[test]
fn a_malformed_address_names_its_setting() {
    let error = grpc::channel("not a url", "BILLING_GRPC_URL").unwrap_err();
    assert!(error.to_string().contains("BILLING_GRPC_URL"));
}

#[test]
fn who_acts_is_named_beside_the_message_or_not_at_all() {
    let user = leadflow_kernel::UserId::new();
    let mut request = caller("the-right-token-1").unbound((), Duration::from_secs(1));
    assert!(grpc::tenant(&request).is_err());
    assert_eq!(grpc::optional_tenant(&request).unwrap(), None);
    assert_eq!(grpc::actor(&request).unwrap(), None);
    request.metadata_mut().insert(grpc::ACTOR, user.to_string().parse().unwrap());
    assert_eq!(grpc::actor(&request).unwrap(), Some(Actor { user, role: None }));
    for role in ActorRole::ALL {
        request.metadata_mut().insert(grpc::ACTOR_ROLE, role.code().parse().unwrap());
        assert_eq!(grpc::actor(&request).unwrap(), Some(Actor { user, role: Some(role) }));
    }
    request.metadata_mut().insert(grpc::ACTOR_ROLE, "KING".parse().unwrap());
    assert_eq!(grpc::actor(&request).unwrap_err().code(), Code::InvalidArgument);
    request.metadata_mut().remove(grpc::ACTOR_ROLE);
    request.metadata_mut().insert(grpc::ACTOR, "somebody".parse().unwrap());
    assert_eq!(grpc::actor(&request).unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_token_can_be_replaced_while_services_call_each_other() {
    let (url, _shutdown) = serve("the-newer-token-2, the-older-token-1").await;
    let mut client = AccountsClient::new(grpc::channel(&url, "ACCOUNTS_GRPC_URL").unwrap());
    let call = |tokens: &str| {
        caller(tokens).request(api::CreateSellerRequest::default(), SellerId::new(), Duration::from_secs(5))
    };
    for right in ["the-newer-token-2", "the-older-token-1", "the-older-token-1,the-newer-token-2"] {
        assert!(client.create_seller(call(right)).await.is_ok(), "{right}");
    }
    // The first is shown.
    for wrong in ["another-token-3,the-newer-token-2", "the-newer-token-2 the-older-token-1", ","] {
        assert_eq!(client.create_seller(call(wrong)).await.unwrap_err().code(), Code::Unauthenticated, "{wrong}");
    }
    // And no token at all lets nobody in, whatever is shown.
    let (url, _shutdown) = serve(" , ").await;
    let mut client = AccountsClient::new(grpc::channel(&url, "ACCOUNTS_GRPC_URL").unwrap());
    assert_eq!(client.create_seller(call("")).await.unwrap_err().code(), Code::Unauthenticated);
}
