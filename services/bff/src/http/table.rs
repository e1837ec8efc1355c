//! The one table of routes. The router, the guard, the OpenAPI document and the tests' isolation matrix
//! all come from it, so a route that is not in it does not exist, and nothing in it is open by omission.

use axum::{
    handler::Handler,
    http::{Method, StatusCode},
    routing::{MethodFilter, MethodRouter, on},
};
use leadflow_contracts::accounts::{Allowance, Member, Role};
use serde_json::Value;
use utoipa::{PartialSchema, ToSchema};

use super::Api;

/// What a member of a seller's team must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Anybody on the team.
    See,
    /// Manager or owner.
    Change,
    /// The owner.
    Own,
}

/// Somebody who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// A seller's team member with this right.
    Seller(Right),
    /// A buyer.
    Buyer,
    /// A supplier.
    Supplier,
    /// Somebody who runs the platform.
    Admin,
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    Public,
    /// Suppliers' programs with an API key, which the ingest gateway judges and limits; sessions play no part.
    ApiKey,
    /// A provider of card payments, e-mails or text messages, which signs what it tells; sessions play no part.
    Provider,
    /// Whoever is signed in.
    SignedIn,
    /// Some of those who are signed in.
    Only(&'static [Party]),
}

impl Who {
    /// Whether a signed-in user of this role may.
    #[must_use]
    pub fn admits(self, role: Role, member: Member) -> bool {
        match self {
            Self::Public | Self::ApiKey | Self::Provider | Self::SignedIn => true,
            Self::Only(parties) => parties.iter().any(|party| match (party, role) {
                (Party::Seller(right), Role::Seller) => match right {
                    Right::See => matches!(member, Member::Owner | Member::Manager | Member::Viewer),
                    Right::Change => matches!(member, Member::Owner | Member::Manager),
                    Right::Own => member == Member::Owner,
                },
                (Party::Buyer, Role::Buyer) | (Party::Supplier, Role::Supplier) | (Party::Admin, Role::Admin) => true,
                _ => false,
            }),
        }
    }

    /// For people.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Public => "anybody".to_owned(),
            Self::ApiKey => "suppliers' programs, with an API key".to_owned(),
            Self::Provider => "a provider of payments or messages, with its signature".to_owned(),
            Self::SignedIn => "whoever is signed in".to_owned(),
            Self::Only(parties) => {
                let names: Vec<_> = parties
                    .iter()
                    .map(|party| match party {
                        Party::Seller(Right::See) => "sellers",
                        Party::Seller(Right::Change) => "sellers (manager or owner)",
                        Party::Seller(Right::Own) => "sellers (owner)",
                        Party::Buyer => "buyers",
                        Party::Supplier => "suppliers",
                        Party::Admin => "administrators",
                    })
                    .collect();
                names.join(", ")
            }
        }
    }
}

/// A type's name and schema in the document, with those that it refers to.
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) schema: Value,
    pub(super) refers_to: Vec<(String, Value)>,
}

impl Shape {
    fn of<T: ToSchema>() -> Self {
        let json = |schema| serde_json::to_value(schema).unwrap_or_default();
        let mut all = Vec::new();
        T::schemas(&mut all);
        Self {
            name: T::name().into_owned(),
            schema: json(<T as PartialSchema>::schema()),
            refers_to: all.into_iter().map(|(name, schema)| (name, json(schema))).collect(),
        }
    }
}

/// The media type of almost every answer.
pub(super) const JSON: &str = "application/json";
/// The media type of a stream of events.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// What is in an answer's body.
pub(super) enum Content {
    Nothing,
    Record(Shape),
    /// The common form of errors.
    Error,
    /// What no record describes.
    Other,
}

/// One answer that is a success, or otherwise worth telling of.
pub(super) struct Answers {
    pub(super) status: StatusCode,
    pub(super) description: &'static str,
    pub(super) media: &'static str,
    pub(super) content: Content,
}

/// One line of the table.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{id}` where an id goes.
    pub path: &'static str,
    /// Who may.
    pub who: Who,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// Which allowance a request is taken from; `None`: the ingest gateway's own limits hold.
    pub allowance: Option<Allowance>,
    pub(super) query: Option<Shape>,
    pub(super) body: Option<Shape>,
    pub(super) answers: Vec<Answers>,
    pub(super) pages: bool,
    pub(super) versioned: bool,
    pub(super) handler: MethodRouter<Api>,
}

impl Route {
    fn new<H, T>(
        filter: MethodFilter,
        method: Method,
        path: &'static str,
        who: Who,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        let allowance = match (who, method.is_safe()) {
            (Who::ApiKey, _) => None,
            (Who::Provider, _) => Some(Allowance::ProviderEvent),
            (_, true) => Some(Allowance::Read),
            (_, false) => Some(Allowance::Write),
        };
        let handler = on(filter, handler);
        Self {
            method,
            path,
            who,
            summary,
            allowance,
            query: None,
            body: None,
            answers: Vec::new(),
            pages: false,
            versioned: false,
            handler,
        }
    }

    pub(super) fn get<H: Handler<T, Api>, T: 'static>(
        path: &'static str,
        who: Who,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Self::new(MethodFilter::GET, Method::GET, path, who, summary, handler)
    }

    pub(super) fn post<H: Handler<T, Api>, T: 'static>(
        path: &'static str,
        who: Who,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Self::new(MethodFilter::POST, Method::POST, path, who, summary, handler)
    }

    pub(super) fn put<H: Handler<T, Api>, T: 'static>(
        path: &'static str,
        who: Who,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Self::new(MethodFilter::PUT, Method::PUT, path, who, summary, handler)
    }

    pub(super) fn delete<H: Handler<T, Api>, T: 'static>(
        path: &'static str,
        who: Who,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Self::new(MethodFilter::DELETE, Method::DELETE, path, who, summary, handler)
    }

    /// Takes from the allowance of sign-ins, which is the smallest.
    pub(super) fn sign_in(mut self) -> Self {
        self.allowance = Some(Allowance::SignIn);
        self
    }

    pub(super) fn query<T: ToSchema>(mut self) -> Self {
        self.query = Some(Shape::of::<T>());
        self
    }

    pub(super) fn body<T: ToSchema>(mut self) -> Self {
        self.body = Some(Shape::of::<T>());
        self
    }

    pub(super) fn answers<T: ToSchema>(self, status: StatusCode, description: &'static str) -> Self {
        self.answer(status, description, JSON, Content::Record(Shape::of::<T>()))
    }

    fn answer(mut self, status: StatusCode, description: &'static str, media: &'static str, content: Content) -> Self {
        self.answers.push(Answers { status, description, media, content });
        self
    }

    /// A stream of server-sent events, of which each is a `T`.
    pub(super) fn streams<T: ToSchema>(self, status: StatusCode, description: &'static str) -> Self {
        self.answer(status, description, EVENT_STREAM, Content::Record(Shape::of::<T>()))
    }

    pub(super) fn answers_nothing(self, status: StatusCode, description: &'static str) -> Self {
        self.answer(status, description, JSON, Content::Nothing)
    }

    /// Something of this media type that no record describes.
    pub(super) fn answers_other(self, status: StatusCode, description: &'static str, media: &'static str) -> Self {
        self.answer(status, description, media, Content::Other)
    }

    /// Beyond the refusals that every route of its kind may give.
    pub(super) fn refuses(self, status: StatusCode, description: &'static str) -> Self {
        self.answer(status, description, JSON, Content::Error)
    }

    /// Browsers are sent here by themselves: what is refused is a page for them.
    pub(super) fn shows_pages(mut self) -> Self {
        self.pages = true;
        self
    }

    /// About a record with a version: its `ETag` is told, and what changes it takes `If-Match`.
    pub(super) fn versioned(mut self) -> Self {
        self.versioned = true;
        self
    }

    /// Whether handlers read a JSON body.
    #[must_use]
    pub const fn takes_body(&self) -> bool {
        self.body.is_some()
    }
}

/// Every route there is.
#[must_use]
pub fn routes() -> Vec<Route> {
    use super::resources as r;
    [
        r::auth::routes(),
        r::google::routes(),
        r::password::routes(),
        r::sessions::routes(),
        r::invites::routes(),
        r::categories::routes(),
        r::campaigns::routes(),
        r::subscriptions::routes(),
        r::buyers::routes(),
        r::suppliers::routes(),
        r::events::routes(),
        r::supplier_people::routes(),
        r::team::routes(),
        r::ingest::routes(),
        r::leads::routes(),
        r::returns::routes(),
        r::wallet::routes(),
        r::cards::routes(),
        r::payments::routes(),
        r::refunds::routes(),
        r::provider_events::routes(),
        r::privacy::routes(),
        r::preferences::routes(),
        r::messages::routes(),
        r::unsubscribe::routes(),
        r::message_events::routes(),
        r::webhooks::routes(),
        r::deliveries::routes(),
        r::buyer_webhooks::routes(),
        r::reports::routes(),
        r::ledger::routes(),
        r::usage::routes(),
        r::audit::routes(),
        r::admin::routes(),
        super::docs::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_route_is_there_once_and_says_what_it_answers() {
        let mut seen = HashSet::new();
        for route in routes() {
            assert!(seen.insert((route.method.clone(), route.path)), "{} {} twice", route.method, route.path);
            assert!(!route.answers.is_empty(), "{} {} answers nothing", route.method, route.path);
            assert!(route.path.starts_with("/api/"), "{}", route.path);
            assert_eq!(route.who == Who::ApiKey, route.allowance.is_none(), "{} is not limited", route.path);
            let of_a_provider = route.allowance == Some(Allowance::ProviderEvent);
            assert_eq!(route.who == Who::Provider, of_a_provider, "{} has another's allowance", route.path);
        }
    }

    #[test]
    fn a_role_without_a_word_for_it_may_not() {
        let seller = |right| {
            Who::Only(match right {
                Right::See => &[Party::Seller(Right::See)],
                Right::Change => &[Party::Seller(Right::Change)],
                Right::Own => &[Party::Seller(Right::Own)],
            })
        };
        for (right, member, wanted) in [
            (Right::See, Member::Viewer, true),
            (Right::See, Member::Unspecified, false),
            (Right::Change, Member::Viewer, false),
            (Right::Change, Member::Manager, true),
            (Right::Own, Member::Manager, false),
            (Right::Own, Member::Owner, true),
        ] {
            assert_eq!(seller(right).admits(Role::Seller, member), wanted, "{right:?} {member:?}");
            for role in [Role::Buyer, Role::Supplier, Role::Admin, Role::Unspecified] {
                assert!(!seller(right).admits(role, Member::Owner), "{role:?}");
            }
        }
        assert!(!Who::Only(&[]).admits(Role::Admin, Member::Owner));
        assert!(Who::Only(&[Party::Admin]).admits(Role::Admin, Member::Owner));
        for role in [Role::Seller, Role::Buyer, Role::Supplier, Role::Unspecified] {
            assert!(!Who::Only(&[Party::Admin]).admits(role, Member::Owner), "{role:?}");
        }
    }
}
