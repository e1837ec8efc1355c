//! The calls of the gRPC service `Payments` that are about cards.

use leadflow_contracts::{billing as proto, time_to_ms};
use leadflow_kernel::SellerId;
use leadflow_platform::grpc::{actor, tenant};
use tonic::{Request, Response, Status};

use super::convert::{has_controls, invalid, read_id, refused};
use crate::app::cards::{Card, CardName, Cards, NewCard, Person};

/// As long as an address can be.
const LONGEST_EMAIL: usize = 254;
const LONGEST_NAME: usize = 200;
/// A name of a card, ours or the provider's.
const LONGEST_CARD: usize = 255;

fn person(seller: SellerId, buyer: &str, email: &str, name: &str) -> Result<Person, Status> {
    for (text, longest, field) in [(email, LONGEST_EMAIL, "email"), (name, LONGEST_NAME, "name")] {
        if text.chars().count() > longest || has_controls(text) {
            return Err(invalid(format_args!("{field}: must be at most {longest} printable characters")));
        }
    }
    Ok(Person { seller, buyer: read_id(buyer, "buyer_id")?, email: email.to_owned(), name: name.to_owned() })
}

fn card_name(text: &str) -> Result<CardName, Status> {
    if text.len() > LONGEST_CARD || has_controls(text) {
        return Err(invalid("card: must be an id of a card"));
    }
    CardName::read(text).ok_or_else(|| invalid("card: must be an id of a card"))
}

fn to_proto(card: &Card) -> proto::Card {
    proto::Card {
        id: card.id.to_string(),
        payment_method_id: card.payment_method.clone(),
        brand: card.brand.clone(),
        last4: card.last4.clone(),
        exp_month: card.exp_month,
        exp_year: card.exp_year,
        is_primary: card.is_primary,
        created_at_ms: time_to_ms(card.created_at),
    }
}

pub(super) async fn create_setup_intent(
    cards: &Cards,
    publishable_key: &str,
    request: &Request<proto::CreateSetupIntentRequest>,
) -> Result<Response<proto::SetupIntent>, Status> {
    let tenant = tenant(request)?;
    let request = request.get_ref();
    let person = person(tenant, &request.buyer_id, &request.email, &request.name)?;
    let setup = cards.begin_setup(&person).await.map_err(|error| refused(&error))?;
    Ok(Response::new(proto::SetupIntent {
        client_secret: setup.client_secret,
        customer_id: setup.customer,
        publishable_key: publishable_key.to_owned(),
    }))
}

pub(super) async fn attach(
    cards: &Cards,
    request: &Request<proto::AttachCardRequest>,
) -> Result<Response<proto::Card>, Status> {
    let (tenant, actor) = (tenant(request)?, actor(request)?);
    let request = request.get_ref();
    let new = NewCard {
        person: person(tenant, &request.buyer_id, &request.email, &request.name)?,
        payment_method: request.payment_method_id.clone(),
        set_as_primary: request.set_as_primary,
    };
    let card = cards.attach(actor, &new).await.map_err(|error| refused(&error))?;
    Ok(Response::new(to_proto(&card)))
}

pub(super) async fn list(
    cards: &Cards,
    request: &Request<proto::ListCardsRequest>,
) -> Result<Response<proto::ListCardsResponse>, Status> {
    let tenant = tenant(request)?;
    let buyer = read_id(&request.get_ref().buyer_id, "buyer_id")?;
    let found = cards.list(tenant, buyer).await.map_err(|error| refused(&error))?;
    Ok(Response::new(proto::ListCardsResponse { cards: found.iter().map(to_proto).collect() }))
}

pub(super) async fn set_primary(
    cards: &Cards,
    request: &Request<proto::SetPrimaryCardRequest>,
) -> Result<Response<proto::Card>, Status> {
    let (tenant, actor) = (tenant(request)?, actor(request)?);
    let buyer = read_id(&request.get_ref().buyer_id, "buyer_id")?;
    let name = card_name(&request.get_ref().card)?;
    let card = cards.set_primary(actor, tenant, buyer, &name).await.map_err(|error| refused(&error))?;
    Ok(Response::new(to_proto(&card)))
}

pub(super) async fn remove(
    cards: &Cards,
    request: &Request<proto::RemoveCardRequest>,
) -> Result<Response<proto::RemoveCardResponse>, Status> {
    let (tenant, actor) = (tenant(request)?, actor(request)?);
    let buyer = read_id(&request.get_ref().buyer_id, "buyer_id")?;
    let name = card_name(&request.get_ref().card)?;
    let removed = cards.remove(actor, tenant, buyer, &name).await.map_err(|error| refused(&error))?;
    Ok(Response::new(proto::RemoveCardResponse {
        primary_card_id: removed.primary.map(|card| card.to_string()).unwrap_or_default(),
        recharge_turned_off: removed.recharge_turned_off,
    }))
}
