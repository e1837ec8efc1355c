//! A private LeadFlow on one machine, all of it under `.leadflow/`.

pub mod demo;
pub mod disk;
pub mod environment;
pub mod layout;
pub mod pair;
pub mod ports;
pub mod probe;
pub mod servers;
pub mod services;
pub mod settings;
pub mod stand_ins;
pub mod state;
pub mod table;
