//! `leadflow erase`: one person's data.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use leadflow_contracts::{
    distribution::{Erasure, ErasureState, GetErasureRequest, RequestErasureRequest, privacy_client::PrivacyClient},
    notifier::{Erased, GetErasedRequest, masking_client::MaskingClient},
    time_from_ms,
};
use leadflow_kernel::SellerId;
use leadflow_platform::{
    grpc::{self, Caller, Channel},
    settings,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    local::table,
    migrate,
    person::{self, Wanted},
    say::say,
};

const DEADLINE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(300);

/// Whose data, and what to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tenant whose leads they are
    #[arg(long)]
    seller: SellerId,
    /// The person's e-mail address
    #[arg(long, default_value = "", required_unless_present = "phone")]
    email: String,
    /// The person's phone number, in any way of writing
    #[arg(long, default_value = "")]
    phone: String,
    /// Remove nothing: say where the person is named now
    #[arg(long, conflicts_with = "prove")]
    dry_run: bool,
    /// Remove nothing: look through every table and stream, and fail when the person is named anywhere
    #[arg(long)]
    prove: bool,
    /// Give up waiting for the end after so long; what was begun goes on
    #[arg(long, default_value_t = 600)]
    wait_seconds: u64,
}

/// Runs it.
///
/// # Errors
/// When a service, a database or NATS cannot be reached, or refuses.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.dry_run || args.prove { look(args).await } else { erase(args).await }
}

async fn look(args: &Args) -> anyhow::Result<ExitCode> {
    let mut env = crate::local::environment::env()?;
    let schemas = migrate::schemas(&mut env);
    env.finish()?;
    let bus = super::bus::connect().await?;
    let wanted = Wanted::new(args.seller, &args.email, &args.phone);
    let found = person::search(&schemas, &bus, &wanted).await?;
    if !found.places.is_empty() {
        let head = ["place".to_owned(), "how many".to_owned()];
        let rows = found.places.iter().map(|place| [place.name.clone(), place.count.to_string()]);
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        say!("{}", table::columns(&rows).trim_end());
    }
    if !found.sealed.is_empty() {
        say!("encrypted, so not searched: {}", found.sealed.join(", "));
    }
    let (places, searched) = (found.places.len(), found.searched);
    say!("{searched} columns and streams were searched; the person is named in {places}");
    Ok(if args.prove && places > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Who is asked.
struct Clients {
    privacy: PrivacyClient<Channel>,
    masking: MaskingClient<Channel>,
    caller: Caller,
    seller: SellerId,
}

impl Clients {
    fn new(seller: SellerId) -> anyhow::Result<Self> {
        let mut env = crate::local::environment::env()?;
        let distribution = env.or(
            "DISTRIBUTION_GRPC_URL",
            "http://127.0.0.1:9103".to_owned(),
            "gRPC address or addresses of distribution, comma-separated",
        );
        let notifier = env.or(
            "NOTIFIER_GRPC_URL",
            "http://127.0.0.1:9104".to_owned(),
            "gRPC address or addresses of notifier, comma-separated",
        );
        let token = settings::service_token(&mut env);
        env.finish()?;
        Ok(Self {
            privacy: PrivacyClient::new(grpc::channel(&distribution, "DISTRIBUTION_GRPC_URL")?),
            masking: MaskingClient::new(grpc::channel(&notifier, "NOTIFIER_GRPC_URL")?),
            caller: Caller::new(token),
            seller,
        })
    }

    async fn request(&mut self, email: &str, phone: &str) -> anyhow::Result<Erasure> {
        let message = RequestErasureRequest { email: email.to_owned(), phone: phone.to_owned() };
        let request = self.caller.request(message, self.seller, DEADLINE);
        self.privacy.request_erasure(request).await.map(tonic::Response::into_inner).map_err(sentence)
    }

    async fn state(&mut self, id: &str) -> anyhow::Result<(Erasure, Erased)> {
        let here = GetErasureRequest { erasure_id: id.to_owned() };
        let here =
            self.privacy.get_erasure(self.caller.request(here, self.seller, DEADLINE)).await.map_err(sentence)?;
        let there = GetErasedRequest { erasure_id: id.to_owned() };
        let there =
            self.masking.get_erased(self.caller.request(there, self.seller, DEADLINE)).await.map_err(sentence)?;
        Ok((here.into_inner(), there.into_inner()))
    }
}

/// `<code>: <sentence>`: the sentence is for people.
fn sentence(refusal: tonic::Status) -> anyhow::Error {
    let text = refusal.message();
    anyhow::anyhow!("{}", text.split_once(": ").map_or(text, |(_, sentence)| sentence))
}

async fn erase(args: &Args) -> anyhow::Result<ExitCode> {
    let mut clients = Clients::new(args.seller)?;
    let asked = clients.request(&args.email, &args.phone).await.context("distribution did not take the wish")?;
    let began = Instant::now();
    loop {
        let (here, there) = clients.state(&asked.erasure_id).await?;
        if here.state() == ErasureState::Done && there.waiting == 0 && there.sales >= here.sales {
            show(&here, &there);
            return Ok(ExitCode::SUCCESS);
        }
        if began.elapsed() > Duration::from_secs(args.wait_seconds) {
            bail!("{} is under way ({}); ask again", here.erasure_id, here.state().as_str_name());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Who has to be told, and a record to keep.
fn show(here: &Erasure, there: &Erased) {
    for buyer in &here.buyers {
        say!(
            "{} ({}) had bought {} of these leads and has to be told",
            buyer.company_name,
            buyer.buyer_id,
            buyer.leads
        );
    }
    let time = |ms| time_from_ms(ms).map(|time| time.to_rfc3339());
    let record = json!({
        "erasure": here.erasure_id, "askedAt": time(here.asked_at_ms), "timesAsked": here.times_asked,
        "byEmail": here.by_email, "byPhone": here.by_phone, "leadsSearched": here.leads_searched, "leads": here.leads,
        "fingerprints": here.fingerprints, "deadLetters": here.dead_letters, "deliveries": there.deliveries,
        "messages": there.messages, "buyers": here.buyers.iter().map(|buyer| &buyer.buyer_id).collect::<Vec<_>>(),
        "doneAt": time(here.done_at_ms.max(there.done_at_ms)),
    })
    .to_string();
    say!("{record}");
    say!("sha256 {}", hex::encode(Sha256::digest(&record)));
}
