//! Whole schedules, whatever receivers and providers answer, by any clock: what a row's `due_at` becomes after each failure, until it
//! ends or expires.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_notifier_domain::{
    MAX_ATTEMPTS, MESSAGE_RETRY_AFTER_CAP, MessageKind, Pace, RETRY_AFTER_CAP, Reply, STEPS, TIMEOUT_PAUSE, Trouble,
    Turns, classify, message_pause, parse_retry_after, pause_after,
};
use proptest::prelude::*;

/// Any moment that a clock can tell and a schedule may still be added to.
fn moments() -> impl Strategy<Value = DateTime<Utc>> {
    let (first, last) = (DateTime::<Utc>::MIN_UTC.timestamp(), DateTime::<Utc>::MAX_UTC.timestamp() - 1_000_000_000);
    prop_oneof![Just(first), Just(last), first..=last, 1_700_000_000_i64..2_000_000_000]
        .prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
}

/// What may stand in a `Retry-After`.
fn asked() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0".to_owned()),
        Just(u64::MAX.to_string()),
        Just("99999999999999999999999999".to_owned()),
        any::<u64>().prop_map(|seconds| seconds.to_string()),
        (0_u64..100_000).prop_map(|seconds| seconds.to_string()),
        (0_u32..100_000, 0_u32..1_000).prop_map(|(whole, part)| format!("{whole}.{part}")),
        (-100_000_i64..0).prop_map(|seconds| seconds.to_string()),
        // Years of four digits are all that the form can say.
        (-60_000_000_000_i64..250_000_000_000)
            .prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap().to_rfc2822()),
        Just("Thu, 01 Jan 1970 00:00:00 GMT".to_owned()),
        ".{0,40}",
    ]
}

/// The trouble after an answer that asked for `text`, or after none.
fn trouble(answer: Option<&str>, now: DateTime<Utc>) -> Trouble {
    match answer {
        Some(text) => Trouble { retry_after: parse_retry_after(text, now), timed_out: false },
        None => Trouble { retry_after: None, timed_out: true },
    }
}

/// Seconds of a text that RFC 9110 allows.
fn is_number(text: &str) -> bool {
    !text.trim().is_empty() && text.trim().bytes().all(|byte| byte.is_ascii_digit())
}

proptest! {
    #[test]
    fn whatever_is_asked_for_is_read_or_passed_over(text in asked(), now in moments()) {
        let read = parse_retry_after(&text, now);
        if is_number(&text) {
            prop_assert_eq!(read, Some(Duration::from_secs(text.trim().parse().unwrap_or(u64::MAX))));
        }
        // A fraction and what is less than nothing are not in the language.
        if text.trim().parse::<f64>().is_ok() && !is_number(&text) {
            prop_assert_eq!(read, None);
        }
    }

    #[test]
    fn a_date_that_is_over_asks_for_nothing(now in moments(), ago in 0_i64..100_000_000) {
        let Some(then) = now.checked_sub_signed(TimeDelta::seconds(ago)) else { return Ok(()) };
        prop_assume!((1000..=9999).contains(&chrono::Datelike::year(&then)));
        prop_assert_eq!(parse_retry_after(&then.to_rfc2822(), now), Some(Duration::ZERO));
    }

    #[test]
    fn webhooks_go_on_and_end_after_the_last_attempt(
        start in moments(), answers in proptest::collection::vec((proptest::option::of(asked()), 0.0_f64..=1.0), 8),
    ) {
        let (mut now, mut least, mut most) = (start, Duration::ZERO, Duration::ZERO);
        for (attempt, (answer, draw)) in (1..).zip(&answers) {
            let trouble = trouble(answer.as_deref(), now);
            let Some(pause) = pause_after(attempt, trouble, *draw) else {
                prop_assert_eq!(attempt, MAX_ATTEMPTS);
                break;
            };
            prop_assert!(attempt < MAX_ATTEMPTS);
            let step = STEPS[attempt as usize - 1];
            let earliest = step.mul_f64(0.8).max(if trouble.timed_out { TIMEOUT_PAUSE } else { Duration::ZERO });
            prop_assert!(pause >= earliest, "{pause:?} after attempt {attempt}");
            // Asked for within bounds, it is kept to.
            let asked = trouble.retry_after.unwrap_or_default();
            prop_assert!(pause >= asked.min(RETRY_AFTER_CAP.max(step * 2)));
            let next = now + pause;
            prop_assert!(next > now);
            now = next;
            least += step.mul_f64(0.8);
            most += step.mul_f64(1.2).max(RETRY_AFTER_CAP).max(step * 2);
        }
        let all = (now - start).to_std().unwrap();
        prop_assert!(all >= least && all <= most, "{all:?}");
        prop_assert_eq!(pause_after(MAX_ATTEMPTS, Trouble::default(), 0.5), None);
    }

    #[test]
    fn an_undisturbed_receiver_has_a_day_and_a_bit(draws in proptest::collection::vec(0.0_f64..=1.0, 7)) {
        let waits: Vec<_> =
            (1..).zip(draws).map(|(attempt, draw)| pause_after(attempt, Trouble::default(), draw).unwrap()).collect();
        // Each is longer than the one before, jitter and all, but for the last two, which are alike.
        prop_assert!(waits[..6].windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
        let hours = waits.iter().sum::<Duration>().as_secs_f64() / 3_600.0;
        prop_assert!((22.0..=33.2).contains(&hours), "{hours}");
    }

    #[test]
    fn messages_are_tried_until_they_expire_and_not_after(
        start in moments(), kind in 0_usize..MessageKind::ALL.len(),
        answers in proptest::collection::vec((proptest::option::of(asked()), 0.0_f64..=1.0), 1..50),
    ) {
        let kind = MessageKind::ALL[kind];
        let expires_at = start + kind.useful_for();
        let (mut now, mut attempts) = (start, 0_u32);
        for (answer, draw) in answers.iter().cycle() {
            if now >= expires_at {
                break;
            }
            attempts += 1;
            let asked = answer.as_deref().and_then(|text| parse_retry_after(text, now));
            let pause = message_pause(attempts, asked, *draw);
            prop_assert!(pause >= Duration::from_secs(5) && pause <= MESSAGE_RETRY_AFTER_CAP, "{pause:?}");
            prop_assert!(pause >= asked.unwrap_or_default().min(MESSAGE_RETRY_AFTER_CAP));
            now += pause;
        }
        let hours = u32::try_from(kind.useful_for().as_secs() / 3_600).unwrap();
        // At least one an hour; and after the first few, one in five minutes at most.
        prop_assert!((hours..=hours * 12 + 6).contains(&attempts), "{attempts} in {hours} h");
    }

    #[test]
    fn undisturbed_waits_do_not_get_shorter(draw in 0.0_f64..=1.0) {
        let waits: Vec<_> = (0..40).map(|attempt| message_pause(attempt, None, draw)).collect();
        prop_assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
        // What is drawn never makes a wait longer than the next one is at least.
        let shortest = |attempt| message_pause(attempt, None, 0.0);
        prop_assert!((1..39).all(|attempt| message_pause(attempt, None, 1.0) <= shortest(attempt + 1).max(Duration::from_mins(10))));
    }

    #[test]
    fn a_pace_holds_by_any_clock(
        per_second in any::<u32>(), steps in proptest::collection::vec((moments(), 0_usize..100, 0_usize..100), 1..40),
    ) {
        let mut pace = Pace::new(per_second);
        let mut turns = Turns::default();
        for (now, wanted, unused) in steps {
            let taken = pace.take(wanted, now);
            prop_assert!(taken <= wanted && taken <= usize::try_from(per_second.max(1)).unwrap());
            prop_assert!(turns.kept(taken) <= taken);
            pace.give_back(unused.min(taken));
        }
    }

    #[test]
    fn an_answer_of_any_status_says_what_it_asks_for(status in 100_u16..600, text in asked(), now in moments()) {
        let retry_after = parse_retry_after(&text, now);
        let context = leadflow_notifier_domain::Context { rules: None, body: "", repeated: false };
        if let leadflow_notifier_domain::Outcome::Failed { trouble, .. } = classify(&Reply::Answer { status, retry_after }, context) {
            prop_assert_eq!(trouble.retry_after, retry_after);
        }
    }
}
