//! The edge with nothing behind it: what it answers by itself.

mod alone;
