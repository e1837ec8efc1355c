//! `leadflow demo`: sells two thousand leads to ten buyers through the running services, tells what
//! happened, and checks the books.

mod cast;
mod people;
mod post;
mod results;
mod returns;
mod script;
mod show;
mod stage;
mod table;
mod verify;
mod wallet;

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use leadflow_contracts::common::Logic;
use leadflow_kernel::LeadId;
use leadflow_platform::Env;
use leadflow_testkit::{
    books::{self, Expectations},
    wait,
};
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::seed::Places;

/// How long anything may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);
/// Surprising answers that are shown.
const SHOWN: usize = 5;
/// The posts are always the same ones.
const SEED: u64 = 65;

/// What a run needs.
pub struct Settings {
    places: Places,
    database_url: String,
    /// Where billing finds Stripe.
    stripe: Option<String>,
}

impl Settings {
    /// Reads them; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        Self {
            places: Places::read(env),
            database_url: env.required_secret("DATABASE_URL", "PostgreSQL URL of all schemas, to read the books"),
            stripe: env.optional("STRIPE_API_BASE", "URL under which Stripe's API answers /v1/…"),
        }
    }
}

/// Runs it with so many posts.
///
/// # Errors
/// When the services cannot be reached. Wrong books or answers are no error, but a failing exit code.
pub async fn run(settings: Settings, posts: usize) -> anyhow::Result<ExitCode> {
    let books = PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(5))
        .connect(&settings.database_url)
        .await
        .context("cannot reach the database (is everything up? `leadflow up` starts it)")?;
    let run = LeadId::new().uuid().simple().to_string();
    let run = &run[run.len() - 6..];
    let cast = cast::cast(run);
    let campaigns: Vec<_> = cast.campaigns.iter().map(|campaign| campaign.id).collect();

    title("A new market");
    println!("  Making one seller, {} campaigns, {} buyers, one supplier…", campaigns.len(), cast.buyers.len());
    let stage = stage::build(settings.places.clone(), &cast, &books).await?;
    let script = script::script(SEED, posts, &campaigns);

    title("Leads come in");
    let first = post::post_all(&stage, &script.first, "posting  ").await;
    let second = post::post_all(&stage, &script.second, "repeating").await;
    let mut surprises = verify::surprises(&script.first, &first, &[]);
    surprises.extend(verify::surprises(&script.second, &second, &first));
    let mut answers = verify::claims(first.iter().chain(&second));
    let leads: Vec<LeadId> = answers.iter().map(|answer| answer.lead_id).collect();
    println!("  Waiting until everything is decided, paid and sent once…");
    let settled = books::wait_until_settled(&books, &leads, PATIENCE).await;
    let returned = returns::play(&books, &stage.market).await?;
    let settled = match settled {
        Ok(()) => books::wait_until_settled(&books, &leads, PATIENCE).await,
        unsettled => unsettled,
    };
    let tried = wait::try_for("every webhook was tried once", PATIENCE, async || {
        let untried = results::untried_deliveries(&books, stage.market.seller).await;
        untried.is_ok_and(|number| number == 0).then_some(())
    })
    .await;

    title("What suppliers were answered");
    let outcomes: Vec<_> = first.into_iter().chain(second).collect();
    println!("{}", show::answers(&outcomes));
    let busy: u32 = outcomes.iter().map(|outcome| outcome.busy).sum();
    if busy > 0 {
        println!("  {busy} times the gateway asked to try again later (not counted above).\n");
    }
    let traces = results::traces(&books, &stage.market).await?;
    show_campaigns(&books, &stage, &cast, &traces).await?;
    title("Buyers");
    println!("{}", show::buyers(&cast.buyers, &results::buyers(&books, stage.market.seller).await?));
    title("Returns");
    println!("{}", returned.told());
    show_decision(&books, &stage, &cast, &traces).await?;

    title("A wallet that fills itself");
    let played = wallet::play(&books, &stage, cast.category, run).await?;

    title("The books");
    let (later, problems_there) = played.map_or_else(Default::default, |played| (played.answers, played.problems));
    answers.extend(later);
    let stripe = verify::stripe_record(&stage.market, settings.stripe.as_deref()).await?;
    println!("{}\n", verify::compared(stripe.as_ref()));
    let expectations = Expectations { answers, settled: settled.is_ok(), stripe, ..Expectations::default() };
    let report = books::check(&books, &expectations).await?;
    println!("{report}\n");

    let mut problems: Vec<String> = Vec::new();
    problems.extend(settled.err().map(|error| error.to_string()));
    problems.extend(tried.err().map(|error| error.to_string()));
    problems.extend(problems_there);
    if !surprises.is_empty() {
        let shown: Vec<_> = surprises.iter().take(SHOWN).map(|surprise| format!("\n    {surprise}")).collect();
        problems.push(format!("{} answers were not what they had to be:{}", surprises.len(), shown.concat()));
    }
    for problem in &problems {
        println!("  !! {problem}");
    }
    let good = problems.is_empty() && report.is_clean();
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn show_campaigns(
    books: &PgPool,
    stage: &stage::Stage,
    cast: &cast::Cast,
    traces: &results::Traces,
) -> anyhow::Result<()> {
    title("Campaigns: who got how many, and why not");
    let results = results::campaigns(books, stage.market.seller, traces).await?;
    for (place, campaign) in cast.campaigns.iter().enumerate() {
        let result = results.get(&campaign.id).cloned().unwrap_or_default();
        println!("{}", show::campaign(cast, place, &result));
    }
    Ok(())
}

async fn show_decision(
    books: &PgPool,
    stage: &stage::Stage,
    cast: &cast::Cast,
    traces: &results::Traces,
) -> anyhow::Result<()> {
    let Some(campaign) = cast.campaigns.iter().find(|campaign| campaign.logic == Logic::Waterfall) else {
        return Ok(());
    };
    let Some(lead) = results::telling_lead(books, campaign.id, traces).await? else {
        return Ok(());
    };
    let id = lead.to_string();
    title("One decision in words");
    let lead = stage.market.lead(&id).await?;
    let state = if lead.state.is_empty() { "no state" } else { &lead.state };
    println!("  {id}, {}, {state}", campaign.name);
    for sentence in &lead.explanation {
        println!("  · {sentence}");
    }
    println!();
    Ok(())
}

fn title(text: &str) {
    println!("\n── {text} {}\n", "─".repeat(76_usize.saturating_sub(text.chars().count())));
}
