//! A panic is a line of the log like any other, without the values that its words may hold.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
};

/// What the standard library prints on standard error may quote what a panic was about: a lead's text, a body. Instead the place is
/// written, and the words only if they stand in the source as they are.
pub(super) fn to_the_log() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let words = words_of(panic.payload());
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(place, words, backtrace, "panicked");
    }));
}

fn words_of(payload: &(dyn Any + Send)) -> Option<&'static str> {
    payload.downcast_ref::<&'static str>().copied()
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn only_words_that_stand_in_the_source_are_told() {
        let told = |panics: fn()| words_of(&*catch_unwind(panics).unwrap_err());
        assert_eq!(told(|| panic!("a wallet without an owner")), Some("a wallet without an owner"));
        let name = "Ada";
        let quoting = catch_unwind(move || panic!("{name} is nobody")).unwrap_err();
        assert_eq!(words_of(&*quoting), None);
        assert_eq!(told(|| drop("\u{e9}"[1..].to_owned())), None, "the standard library quotes the text");
    }
}
