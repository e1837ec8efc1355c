//! Notifier on PostgreSQL and NATS, with receivers that behave and misbehave.

mod answers;
mod audit;
mod delivering;
mod endpoints;
mod failing;
mod format;
mod hostile;
mod impostors;
mod mails;
mod message_log;
mod messages;
mod news;
mod parts;
mod preferences;
mod receiver;
mod replay;
mod replicas;
mod rotation;
mod sendgrid;
mod several;
mod signatures;
mod statements;
mod summaries;
mod tenancy;
mod usage;
mod world;
