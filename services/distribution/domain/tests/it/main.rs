//! What must hold of routing, tried with many inputs.

mod batch;
mod eligible;
mod returns;
mod rotation;
mod support;
