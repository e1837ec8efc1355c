//! What waits for one reader, within a bound.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

/// Events that wait for a reader before he is told to load everything again instead.
const MOST: usize = 512;
/// And how many bytes they may be.
const MOST_BYTES: usize = 128 << 10;

/// What a reader is to be told before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// Listening has begun.
    Ready,
    /// Something may have been missed.
    Reload,
}

/// What a reader gets next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Opening(Opening),
    Frame(Bytes),
    End,
}

/// Written without waiting, read by one.
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

struct State {
    /// Whether events reach this reader already.
    greeted: bool,
    opening: Option<Opening>,
    frames: VecDeque<Bytes>,
    bytes: usize,
    ended: bool,
    /// How the reader is to be greeted.
    first: Opening,
}

impl Queue {
    /// For a reader who is greeted with `first` when listening has begun.
    pub(super) fn new(first: Opening) -> Self {
        let state = State { greeted: false, opening: None, frames: VecDeque::new(), bytes: 0, ended: false, first };
        Self { state: Mutex::new(state), wake: Notify::new() }
    }

    /// Listening has begun, or begun again.
    pub(super) fn listening(&self) {
        let mut state = self.state();
        if state.ended {
            return;
        }
        let opening = if state.greeted { Opening::Reload } else { state.first };
        state.greeted = true;
        state.open(opening);
        self.wake.notify_one();
    }

    /// An event. One too many takes the place of all that wait.
    pub(super) fn push(&self, frame: &Bytes) {
        let mut state = self.state();
        // Before the greeting nothing is promised.
        if !state.greeted || state.ended || state.opening == Some(Opening::Reload) {
            return;
        }
        if state.frames.len() == MOST || state.bytes + frame.len() > MOST_BYTES {
            state.open(Opening::Reload);
        } else {
            state.bytes += frame.len();
            state.frames.push_back(frame.clone());
        }
        self.wake.notify_one();
    }

    /// Nothing more is told.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.opening = None;
        state.forget();
        self.wake.notify_one();
    }

    /// What comes next; waits for it. Nothing is lost when the future is dropped.
    pub(super) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.state().take() {
                return next;
            }
            self.wake.notified().await;
        }
    }

    /// The end, but behind what waits.
    #[cfg(test)]
    pub(super) fn end_after_what_waits(&self) {
        self.state().ended = true;
    }

    // Nothing in here panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn open(&mut self, opening: Opening) {
        self.opening = Some(opening);
        self.forget();
    }

    fn forget(&mut self) {
        self.frames = VecDeque::new();
        self.bytes = 0;
    }

    fn take(&mut self) -> Option<Next> {
        if let Some(opening) = self.opening.take() {
            return Some(Next::Opening(opening));
        }
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.len();
            return Some(Next::Frame(frame));
        }
        self.ended.then_some(Next::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: usize) -> Bytes {
        number.to_string().into()
    }

    #[tokio::test]
    async fn a_reader_who_is_too_slow_is_told_once_to_load_again() {
        let queue = Queue::new(Opening::Ready);
        queue.push(&frame(0));
        queue.listening();
        for number in 0..MOST {
            queue.push(&frame(number));
        }
        assert_eq!(queue.next().await, Next::Opening(Opening::Ready));
        assert_eq!(queue.next().await, Next::Frame(frame(0)));
        for number in MOST..MOST * 3 {
            queue.push(&frame(number));
        }
        assert!(queue.state().frames.is_empty(), "nothing waits for one who has to load everything");
        assert_eq!(queue.next().await, Next::Opening(Opening::Reload));
        queue.push(&frame(7));
        assert_eq!(queue.next().await, Next::Frame(frame(7)));
        let large: Bytes = vec![b'x'; MOST_BYTES / 2 + 1].into();
        queue.push(&large);
        queue.push(&large);
        assert_eq!(queue.next().await, Next::Opening(Opening::Reload), "bytes are bounded, too");
    }

    #[tokio::test]
    async fn who_begins_again_after_a_gap_is_told_so() {
        let queue = Queue::new(Opening::Reload);
        queue.listening();
        assert_eq!(queue.next().await, Next::Opening(Opening::Reload));
        queue.push(&frame(1));
        queue.listening();
        queue.push(&frame(2));
        assert_eq!(queue.next().await, Next::Opening(Opening::Reload), "it may have been missed before 1");
        queue.end();
        assert_eq!(queue.next().await, Next::End);
        assert_eq!(queue.next().await, Next::End);
    }
}
