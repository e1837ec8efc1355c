//! Each endpoint's line: how many requests it gets at once, and how many deliveries wait for them in memory.
//!
//! An endpoint earns its place. It begins with few requests at once and gets one more for each answer, up to its limit;
//! what it may have in memory grows with that. One that hangs never answers, so it stays small. One that breaks down later
//! (a connection fails, or a request is stuck) falls back to what failing endpoints have, what waits in its line goes back
//! to the table, and its next answer begins anew.

use std::{collections::HashMap, sync::Arc};

use leadflow_kernel::EndpointId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Limits;

/// Where a delivery comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was written just now.
    News,
    /// It waited in the table.
    Table,
}

/// How far news may fill what holds `most`: the last quarter is the table's, so that a flood of news does not keep
/// from their turn those that failed before.
const fn mark(most: usize) -> usize {
    match most {
        0 | 1 => most,
        2..=7 => most - 1,
        _ => most - most / 4,
    }
}

/// Full enough that the table is not asked for more: it is asked again when what is the table's is free, so
/// that it is asked for many rows at once and not for each as its place becomes free.
const fn is_full(held: usize, most: usize) -> bool {
    held > mark(most) || held >= most
}

/// What an endpoint without a line would have room for.
pub(super) fn room_at_first(limits: &Limits) -> usize {
    most_with(limits, limits.first_in_flight)
}

/// Deliveries in memory for whom so many requests at once are trusted.
fn most_with(limits: &Limits, in_flight: usize) -> usize {
    (limits.held_per_endpoint * in_flight.min(limits.per_endpoint) / limits.per_endpoint.max(1)).max(1)
}

/// All lines.
#[derive(Debug)]
pub(super) struct Lines {
    limits: Limits,
    held: usize,
    by_endpoint: HashMap<EndpointId, Line>,
}

/// One endpoint's.
#[derive(Debug)]
struct Line {
    held: usize,
    /// Requests at once that its owner and the service allow.
    allowed: usize,
    /// Answers since it began, or since it last broke down.
    answered: usize,
    /// Its last attempt failed, as the table says.
    failing: bool,
    /// It has broken down and not answered since.
    broken: bool,
    turns: Turns,
    /// Permits that there are: what is in flight gives back only when it ends.
    permits: usize,
}

/// How a delivery waits for its turn in a line.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    /// Requests at once.
    pub(super) in_flight: Arc<Semaphore>,
    /// Cancelled when what waits goes back to the table.
    pub(super) back: CancellationToken,
}

impl Line {
    fn new() -> Self {
        let turns = Turns { in_flight: Arc::new(Semaphore::new(0)), back: CancellationToken::new() };
        Self { held: 0, allowed: 0, answered: 0, failing: false, broken: false, turns, permits: 0 }
    }

    fn wanted(&self, limits: &Limits) -> usize {
        let earned =
            if self.failing || self.broken { limits.held_when_failing } else { limits.first_in_flight + self.answered };
        earned.clamp(1, self.allowed.max(1))
    }

    fn most(&self, limits: &Limits) -> usize {
        if self.failing || self.broken {
            limits.held_when_failing
        } else {
            most_with(limits, limits.first_in_flight + self.answered)
        }
    }

    fn is_full(&self, limits: &Limits) -> bool {
        is_full(self.held, self.most(limits))
    }

    /// Comes as near to what is wanted as what is in flight allows.
    fn adjust(&mut self, limits: &Limits) {
        let wanted = self.wanted(limits);
        if self.permits < wanted {
            self.turns.in_flight.add_permits(wanted - self.permits);
            self.permits = wanted;
        } else {
            self.permits -= self.turns.in_flight.forget_permits(self.permits - wanted);
        }
    }
}

/// How full the lines are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// How many more deliveries fit; 0 until a quarter is free.
    pub room: usize,
    /// Endpoints whose line is full.
    pub full: Vec<EndpointId>,
    /// For how many more the others have room, and how many they hold.
    pub lines: Vec<(EndpointId, usize, usize)>,
}

impl Lines {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, held: 0, by_endpoint: HashMap::new() }
    }

    /// Takes a place in the endpoint's line, if there is one. `concurrency` is what its owner asked for, 0 for nothing.
    pub(super) fn reserve(&mut self, endpoint: EndpointId, concurrency: u32, failing: bool, origin: Origin) -> bool {
        let fits = |held, most| match origin {
            Origin::News => held < mark(most),
            Origin::Table => held < most,
        };
        if !fits(self.held, self.limits.held) {
            return false;
        }
        let line = self.by_endpoint.entry(endpoint).or_insert_with(Line::new);
        line.failing = failing;
        line.allowed = match usize::try_from(concurrency) {
            Ok(asked @ 1..) => asked.min(self.limits.per_endpoint),
            _ => self.limits.per_endpoint,
        };
        line.adjust(&self.limits);
        if !fits(line.held, line.most(&self.limits)) {
            return false;
        }
        line.held += 1;
        self.held += 1;
        true
    }

    /// Gives a place back. Whether somebody who waits for room should look.
    pub(super) fn release(&mut self, endpoint: EndpointId) -> bool {
        let before = is_full(self.held, self.limits.held);
        self.held -= 1;
        let mut wake = before && !is_full(self.held, self.limits.held);
        if let Some(line) = self.by_endpoint.get_mut(&endpoint) {
            let before = line.is_full(&self.limits);
            line.held -= 1;
            line.adjust(&self.limits);
            wake |= before && !line.is_full(&self.limits);
            if line.held == 0 {
                self.by_endpoint.remove(&endpoint);
            }
        }
        wake
    }

    /// How the endpoint's deliveries wait for their turn.
    pub(super) fn turns(&self, endpoint: EndpointId) -> Option<Turns> {
        self.by_endpoint.get(&endpoint).map(|line| line.turns.clone())
    }

    /// The endpoint has answered, whatever it said. Whether somebody who waits for room should look.
    pub(super) fn answered(&mut self, endpoint: EndpointId) -> bool {
        let Some(line) = self.by_endpoint.get_mut(&endpoint) else { return false };
        let before = line.is_full(&self.limits);
        line.broken = false;
        line.answered = (line.answered + 1).min(self.limits.per_endpoint);
        line.adjust(&self.limits);
        before && !line.is_full(&self.limits)
    }

    /// The endpoint has broken down: what waits in its line goes back to the table.
    pub(super) fn broke_down(&mut self, endpoint: EndpointId) {
        let Some(line) = self.by_endpoint.get_mut(&endpoint) else { return };
        line.broken = true;
        line.answered = 0;
        line.adjust(&self.limits);
        // What comes from now on waits for its own turn.
        std::mem::take(&mut line.turns.back).cancel();
    }

    pub(super) fn load(&self) -> Load {
        let most = self.limits.held;
        let room = if is_full(self.held, most) { 0 } else { most - self.held };
        let mut load = Load { room, ..Load::default() };
        for (endpoint, line) in &self.by_endpoint {
            if line.is_full(&self.limits) {
                load.full.push(*endpoint);
            } else {
                load.lines.push((*endpoint, line.most(&self.limits) - line.held, line.held));
            }
        }
        load
    }

    /// Whether there is room for one of these.
    pub(super) fn have_room(&self, endpoints: &[EndpointId]) -> bool {
        let has_room = |id| self.by_endpoint.get(id).is_none_or(|line| !line.is_full(&self.limits));
        !is_full(self.held, self.limits.held) && endpoints.iter().any(has_room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        in_flight: 100,
        per_endpoint: 8,
        first_in_flight: 2,
        held: 1_000,
        held_per_endpoint: 80,
        held_when_failing: 2,
        slow_after: std::time::Duration::from_secs(1),
        stuck_after: std::time::Duration::from_secs(10),
    };

    fn fill(lines: &mut Lines, endpoint: EndpointId, concurrency: u32, failing: bool) -> usize {
        let mut take = || lines.reserve(endpoint, concurrency, failing, Origin::Table);
        std::iter::repeat_with(&mut take).take_while(|taken| *taken).count()
    }

    fn answer_often(lines: &mut Lines, endpoint: EndpointId) {
        (0..20).for_each(|_| _ = lines.answered(endpoint));
    }

    fn permits(lines: &Lines, endpoint: EndpointId) -> usize {
        lines.turns(endpoint).unwrap().in_flight.available_permits()
    }

    #[test]
    fn who_answers_gets_more_and_who_does_not_stays_small() {
        let (mut lines, endpoint) = (Lines::new(LIMITS), EndpointId::new());
        assert_eq!((fill(&mut lines, endpoint, 0, false), permits(&lines, endpoint)), (20, 2));
        answer_often(&mut lines, endpoint);
        assert_eq!((fill(&mut lines, endpoint, 0, false), permits(&lines, endpoint)), (60, 8));
        assert_eq!(lines.load().full, [endpoint]);
    }

    #[test]
    fn who_breaks_down_falls_back_and_begins_anew() {
        let (mut lines, endpoint) = (Lines::new(LIMITS), EndpointId::new());
        fill(&mut lines, endpoint, 0, false);
        lines.answered(endpoint);
        let waiting = lines.turns(endpoint).unwrap();
        lines.broke_down(endpoint);
        assert!(waiting.back.is_cancelled() && !lines.turns(endpoint).unwrap().back.is_cancelled());
        assert_eq!((permits(&lines, endpoint), fill(&mut lines, endpoint, 0, false)), (2, 0));
        for held in (0..20).rev() {
            assert_eq!(lines.release(endpoint), held == 1, "{held}");
        }
        // Forgotten with its last delivery: by then the table knows that it fails.
        assert_eq!(fill(&mut lines, endpoint, 0, false), 20);
        lines.broke_down(endpoint);
        assert!(lines.load().full == [endpoint] && !lines.have_room(&[endpoint]));
        lines.answered(endpoint);
        assert_eq!(permits(&lines, endpoint), 3);
    }

    #[test]
    fn who_fails_has_little_and_nobody_more_than_he_asked_for() {
        let (mut lines, failing, modest) = (Lines::new(LIMITS), EndpointId::new(), EndpointId::new());
        assert_eq!((fill(&mut lines, failing, 0, true), permits(&lines, failing)), (2, 2));
        assert_eq!((fill(&mut lines, modest, 1, false), permits(&lines, modest)), (20, 1));
        answer_often(&mut lines, modest);
        assert_eq!((fill(&mut lines, modest, 1, false), permits(&lines, modest)), (60, 1));
        // All together hold no more than fits in memory.
        let others: usize = (0..100).map(|_| fill(&mut lines, EndpointId::new(), 0, false)).sum();
        assert_eq!((others, lines.load().room), (LIMITS.held - 82, 0));
    }

    #[test]
    fn however_much_news_there_is_the_table_is_asked_and_gets_its_place() {
        for most in 1..40 {
            let limits =
                Limits { held: 4 * most, per_endpoint: 1, first_in_flight: 1, held_per_endpoint: most, ..LIMITS };
            let (mut lines, endpoint) = (Lines::new(limits), EndpointId::new());
            let flood = |lines: &mut Lines| while lines.reserve(endpoint, 0, false, Origin::News) {};
            let mut from_table = 0;
            for _ in 0..4 * most {
                flood(&mut lines);
                // As the worker does: what the table is asked for fits.
                if let Some((_, room, _)) = lines.load().lines.first().copied() {
                    for _ in 0..room {
                        assert!(lines.reserve(endpoint, 0, false, Origin::Table));
                        from_table += 1;
                    }
                }
                lines.release(endpoint);
            }
            assert!(from_table > 0 || most == 1, "{most}: nothing from the table");
        }
    }

    #[test]
    fn a_limit_that_shrinks_takes_effect_as_requests_end() {
        let (mut lines, endpoint) = (Lines::new(LIMITS), EndpointId::new());
        lines.reserve(endpoint, 0, false, Origin::News);
        answer_often(&mut lines, endpoint);
        let turns = lines.turns(endpoint).unwrap();
        let flying: Vec<_> = (0..8).map(|_| turns.in_flight.clone().try_acquire_owned().unwrap()).collect();
        lines.reserve(endpoint, 3, false, Origin::News);
        drop(flying);
        lines.reserve(endpoint, 3, false, Origin::News);
        assert_eq!(permits(&lines, endpoint), 3);
    }
}
