//! Printing for people.

/// `println!` that does not mind when whoever read it has gone (`leadflow up | head -1`).
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}
pub(crate) use say;
