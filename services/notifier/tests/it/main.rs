//! Notifier on PostgreSQL and NATS, with receivers that behave and misbehave.

mod audit;
mod delivering;
mod endpoints;
mod failing;
mod mails;
mod message_log;
mod messages;
mod news;
mod preferences;
mod receiver;
mod replicas;
mod rotation;
mod statements;
mod tenancy;
mod usage;
mod world;
