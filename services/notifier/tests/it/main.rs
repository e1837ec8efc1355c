//! Notifier on PostgreSQL and NATS, with receivers that behave and misbehave.

mod audit;
mod delivering;
mod endpoints;
mod failing;
mod mails;
mod messages;
mod news;
mod receiver;
mod replicas;
mod rotation;
mod statements;
mod tenancy;
mod usage;
mod world;
