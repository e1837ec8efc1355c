//! Generated histories of a wallet: top-ups, recharges, holds, sales, returns, refunds and disputes in any order, while calls and
//! answers are lost and webhooks come late, twice, in any order or never. Our side are the rules of billing's domain; the other is
//! the machine that the sandbox's Stripe is. After every step the books are in order; in the end ours say what Stripe's own
//! record says.

mod checks;
mod ours;
mod post;
mod run;
mod steps;
mod stripe;

use std::{cell::Cell, time::Instant};

use proptest::test_runner::{Config, TestRunner};

use run::{Beginning, Tally};

/// At least so many.
const HISTORIES: u32 = 10_000;

#[test]
fn whatever_happens_ours_is_in_the_end_what_stripes_own_record_says() {
    let beginning = Beginning::new();
    let tally = Cell::new(Tally::default());
    let started = Instant::now();
    let config = Config { cases: HISTORIES, max_shrink_iters: 2_000, failure_persistence: None, ..Config::default() };
    let lived = TestRunner::new(config).run(&steps::histories(), |history| {
        let mut all = tally.get();
        all += run::run(&beginning, &history);
        tally.set(all);
        Ok(())
    });
    if let Err(failed) = lived {
        panic!("{failed}");
    }
    let all = tally.get();
    println!("{all:?} in {:.1} s", started.elapsed().as_secs_f32());
    assert!(all.histories >= 10_000, "{all:?}");
    // Each of these must have happened often, or the histories say little.
    let happened = [
        all.charges,
        all.declines,
        all.refunds,
        all.foreign_refunds,
        all.failed_refunds,
        all.disputes,
        all.lost_events,
    ];
    assert!(happened.iter().all(|times| *times > 500), "{all:?}");
    assert!(all.found_by_comparing > 100, "{all:?}");
}
