//! A stand-in for Stripe: a machine without HTTP and without a clock, so that tests of books can run it by the thousand.
//! [`Core::call`] takes a call as it comes over HTTP; each operation is there by itself, too.

mod cards;
mod changes;
mod charging;
mod core;
mod customers;
mod disputes;
mod error;
mod events;
mod expand;
mod ids;
mod intents;
mod keys;
mod list;
mod model;
mod movements;
mod owner;
mod params;
mod payment_methods;
mod record;
mod refunds;
mod render;
mod render_money;
mod routes;
mod search;
mod setups;
mod table;
mod webhooks;

pub use self::{
    core::{Answer, Call, Core, Failing, Settings},
    error::{Outcome, StripeError},
    params::Params,
    record::{ChargeRecord, DisputeRecord, Record, RefundRecord},
    render::API_VERSION,
    routes::Method,
    table::Change,
    webhooks::{Manners, signature},
};
