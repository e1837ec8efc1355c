//! Distribution on a real PostgreSQL and a real nats-server.

mod audit;
mod catalogue;
mod commands;
mod decisions;
mod erasures;
mod faults;
mod later;
mod months;
mod one_month;
mod overtaken;
mod races;
mod refusals;
mod retention;
mod returns;
mod returns_at_once;
mod rules;
mod service;
mod statements;
mod sums;
mod support;
mod tenancy;
mod upgrade;
