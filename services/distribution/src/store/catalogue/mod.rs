//! Questions that people ask. Filters that are not given are NULL or empty: these statements need plans made for their
//! values, so they run on connections of their own (see [`crate::app::Catalogue`]).

pub mod campaigns;
pub mod leads;
pub mod purchases;
pub mod sums;

/// Rows counted at most for the length of a list: what is beyond can neither be paged to nor be read from a number.
pub const MAX_COUNTED: i64 = 100_000;
