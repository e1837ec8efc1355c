//! The public HTTP API as front ends use it, through the whole system: real processes of every role,
//! real PostgreSQL and NATS behind.

mod admin;
mod audit;
mod auth;
mod away;
mod card;
mod cards;
mod client;
mod contract;
mod errors;
mod examples;
mod feed;
mod google;
mod ledger;
mod live;
mod mails;
mod matrix;
mod meanwhile;
mod messages;
mod one_click;
mod payments;
mod people;
mod preferences;
mod provider_events;
mod races;
mod refusals;
mod returns;
mod rows;
mod story;
mod suppliers;
mod team;
mod text_messages;
mod usage;
mod webhooks;
mod world;
