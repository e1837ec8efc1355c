//! Posting many leads at once, as several suppliers would.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use ::http::Method;
use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::{script::Post, stage::Stage, table};

/// Posts on the way at one time.
const AT_ONCE: usize = 32;
/// Tries of one post while the gateway says that it is busy.
const TRIES: u32 = 30;
/// A key of the right form that nobody has.
const WRONG_KEY: &str = "sk_0000000000000000000000000000000000000000000";

/// What came back for one post.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The status; 0 when no answer came.
    pub status: u16,
    /// The body, if it was JSON.
    pub body: Value,
    /// From the first byte sent to the last one received, of the last try.
    pub took: Duration,
    /// How often the gateway said that it is busy before it answered.
    pub busy: u32,
}

impl Outcome {
    /// A text of the answer; empty when it is not there.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }
}

/// Posts all of them and shows how far it is. Outcomes are in the order of the posts.
pub async fn post_all(stage: &Stage, posts: &[Post], what: &str) -> Vec<Outcome> {
    let mut progress = Progress::new(what, posts.len());
    let mut answers = stream::iter(posts.iter().enumerate())
        .map(|(place, post)| async move { (place, post_one(stage, post).await) })
        .buffer_unordered(AT_ONCE);
    let mut outcomes = vec![None; posts.len()];
    while let Some((place, outcome)) = answers.next().await {
        outcomes[place] = Some(outcome);
        progress.one_more();
    }
    progress.end();
    outcomes.into_iter().flatten().collect()
}

async fn post_one(stage: &Stage, post: &Post) -> Outcome {
    let url = format!("{}/api/leads/ingest", stage.market.places.ingest);
    let mut headers = vec![("x-api-key", if post.wrong_key { WRONG_KEY } else { &stage.key })];
    if let Some(key) = &post.idempotency_key {
        headers.push(("idempotency-key", key));
    }
    if post.respond_async {
        headers.push(("prefer", "respond-async"));
    }
    let mut busy = 0;
    loop {
        let start = Instant::now();
        let answer = stage.market.http.send_json(Method::POST, &url, &headers, post.body.clone()).await;
        let took = start.elapsed();
        let retry_after = match answer {
            Ok(answer) if !matches!(answer.status.as_u16(), 429 | 503) || busy >= TRIES => {
                let body = serde_json::from_slice(&answer.body).unwrap_or_default();
                return Outcome { status: answer.status.as_u16(), body, took, busy };
            }
            Ok(answer) => answer.retry_after.unwrap_or(1),
            // No answer says nothing of what happened. Every post has a key, so it can be sent again.
            Err(_) if busy < TRIES => 1,
            Err(error) => {
                let body = serde_json::json!({ "code": "no_answer", "error": format!("{error:#}") });
                return Outcome { status: 0, body, took, busy };
            }
        };
        busy += 1;
        tokio::time::sleep(Duration::from_secs(retry_after)).await;
    }
}

/// One line that tells how far it is.
struct Progress {
    what: String,
    total: usize,
    done: usize,
    start: Instant,
    shown: Instant,
    live: bool,
}

impl Progress {
    fn new(what: &str, total: usize) -> Self {
        let now = Instant::now();
        Self { what: what.to_owned(), total, done: 0, start: now, shown: now, live: std::io::stdout().is_terminal() }
    }

    fn one_more(&mut self) {
        self.done += 1;
        if self.live && self.shown.elapsed() >= Duration::from_millis(80) {
            self.shown = Instant::now();
            self.show();
        }
    }

    fn show(&self) {
        const WIDTH: usize = 30;
        let full = self.done * WIDTH / self.total.max(1);
        print!(
            "\r  {} {}{} {:>6} of {}  {:>6}/s ",
            self.what,
            "█".repeat(full),
            "░".repeat(WIDTH - full),
            table::count(self.done as u64),
            table::count(self.total as u64),
            table::count((self.done as f64 / self.start.elapsed().as_secs_f64()) as u64),
        );
        // A progress line that cannot be shown is no reason to stop.
        let _ = std::io::stdout().flush();
    }

    fn end(&self) {
        if self.live {
            self.show();
            println!();
        } else {
            println!(
                "  {}: {} posts in {:.1} s",
                self.what,
                table::count(self.total as u64),
                self.start.elapsed().as_secs_f32()
            );
        }
    }
}
