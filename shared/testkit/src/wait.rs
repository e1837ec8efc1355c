//! Waiting for a state: polled, bounded, and with a message that says what never came true. The
//! only place in the tests that sleeps.

use std::{
    fmt,
    time::{Duration, Instant},
};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// What never came true.
#[derive(Debug, Clone, thiserror::Error)]
#[error("waited {:.1} s in vain: {what}", .waited.as_secs_f32())]
pub struct Elapsed {
    what: String,
    waited: Duration,
}

/// Waits until `state` says true.
///
/// # Panics
/// When `timeout` passes first; the message is `what`.
pub async fn until(what: impl fmt::Display, timeout: Duration, mut state: impl AsyncFnMut() -> bool) {
    let found = try_for(&what, timeout, async || state().await.then_some(()));
    if let Err(elapsed) = found.await {
        panic!("{elapsed}");
    }
}

/// Waits until `state` yields a value, and gives it.
///
/// # Panics
/// When `timeout` passes first; the message is `what`.
pub async fn until_some<T>(what: impl fmt::Display, timeout: Duration, state: impl AsyncFnMut() -> Option<T>) -> T {
    match try_for(&what, timeout, state).await {
        Ok(value) => value,
        Err(elapsed) => panic!("{elapsed}"),
    }
}

/// Waits until `state` yields a value. It is asked at least once, and once more after the time is
/// up.
///
/// # Errors
/// [`Elapsed`] when `timeout` passes first.
pub async fn try_for<T>(
    what: impl fmt::Display,
    timeout: Duration,
    mut state: impl AsyncFnMut() -> Option<T>,
) -> Result<T, Elapsed> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let late = start.elapsed() >= timeout;
        if let Some(value) = state().await {
            return Ok(value);
        }
        if late {
            return Err(Elapsed { what: what.to_string(), waited: start.elapsed() });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_the_value_when_it_comes() {
        let mut asked = 0;
        let value = until_some("the third answer", Duration::from_secs(5), async || {
            asked += 1;
            (asked == 3).then_some(asked)
        })
        .await;
        assert_eq!(value, 3);
    }

    #[tokio::test]
    async fn says_what_never_came_true() {
        let error = try_for("pigs fly", Duration::from_millis(30), async || None::<()>).await.expect_err("they do not");
        assert!(error.to_string().ends_with("in vain: pigs fly"), "{error}");
    }

    #[tokio::test]
    #[should_panic(expected = "in vain: the moon is cheese")]
    async fn panics_in_a_test() {
        until("the moon is cheese", Duration::ZERO, async || false).await;
    }
}
