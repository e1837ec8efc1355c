//! Gateways to compare with, in processes of their own as the real one is: one that only puts the
//! post on the stream, and one that does everything for a lead in one transaction of its own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use leadflow_kernel::{AssignmentId, Clock as _, EventId, LeadId, SystemClock};
use leadflow_messaging::{Bus, BusSettings, Envelope, topology};
use sqlx::{PgPool, postgres::PgPoolOptions, types::Uuid};
use tokio::{net::TcpListener, process::Child};

/// What it does with a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StandIn {
    /// Publishes the body as one message and answers when the stream has acknowledged it.
    Ack,
    /// Inserts, locks, picks, charges and delivers in one transaction.
    Transaction,
}

/// Connections of the one-transaction handler.
const CONNECTIONS: u32 = 16;

/// Serves until it is ended.
///
/// # Errors
/// When a server cannot be reached.
pub async fn serve(what: StandIn, port: u16, server: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.context("the stand-in's port")?;
    let app = match what {
        StandIn::Ack => {
            let bus = Bus::connect(&BusSettings {
                url: server.to_owned(),
                source: "bench".into(),
                connect_within: Duration::from_secs(10),
            })
            .await?;
            topology::ensure(&bus, topology::TopologySettings::default()).await?;
            Router::new().route("/api/leads/ingest", post(acknowledge)).with_state(bus)
        }
        StandIn::Transaction => {
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(server).await?;
            Router::new().route("/api/leads/ingest", post(transact)).with_state(Arc::new(pool))
        }
    };
    Ok(axum::serve(listener, app).await?)
}

/// Starts one as a process of this executable.
///
/// # Errors
/// When it does not come up.
pub async fn start(what: StandIn, server: &str) -> anyhow::Result<(Child, SocketAddr)> {
    let port = leadflow_testkit::servers::free_port().context("no free port")?;
    let name = clap::ValueEnum::to_possible_value(&what).context("a stand-in without a name")?;
    let child = tokio::process::Command::new(std::env::current_exe()?)
        .args(["bench", "--stand-in", name.get_name(), "--port", &port.to_string(), "--server", server])
        .kill_on_drop(true)
        .spawn()?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let up = leadflow_testkit::wait::try_for("the stand-in listens", Duration::from_secs(20), async || {
        tokio::net::TcpStream::connect(address).await.ok()
    });
    up.await.context("a stand-in does not come up")?;
    Ok((child, address))
}

async fn acknowledge(State(bus): State<Bus>, body: Bytes) -> StatusCode {
    let event = Envelope {
        id: EventId::new(),
        subject: leadflow_contracts::subjects::LEAD_RECEIVED.to_owned(),
        kind: "bench".to_owned(),
        time: SystemClock.now(),
        traceparent: None,
        payload: body,
    };
    match bus.publish(&[event]).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(error) => {
            tracing::warn!(%error, "not acknowledged");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

async fn transact(State(pool): State<Arc<PgPool>>, body: Bytes) -> StatusCode {
    match sell(&pool, &body).await {
        Ok(()) => StatusCode::CREATED,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "not sold");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// The same rows as the services write, in tables of the bench, lead by lead.
async fn sell(pool: &PgPool, body: &[u8]) -> anyhow::Result<()> {
    let lead: serde_json::Value = serde_json::from_slice(body)?;
    let campaign: leadflow_kernel::CampaignId = lead["campaignId"].as_str().context("no campaign")?.parse()?;
    let (lead_id, assignment_id, posting_id) =
        (LeadId::new().uuid(), AssignmentId::new().uuid(), EventId::new().uuid());
    let text = String::from_utf8_lossy(body).into_owned();
    let mut transaction = pool.begin().await?;
    let fingerprints: Vec<Uuid> = ["email", "phone"]
        .iter()
        .map(|field| {
            LeadId::derive(&[field.as_bytes(), lead["data"][field].as_str().unwrap_or_default().as_bytes()]).uuid()
        })
        .collect();
    let known: Option<Uuid> = sqlx::query_scalar(
        "SELECT lead_id FROM bench.lead_fingerprints WHERE campaign_id = $1 AND fingerprint = ANY($2) LIMIT 1",
    )
    .bind(campaign.uuid())
    .bind(&fingerprints)
    .fetch_optional(&mut *transaction)
    .await?;
    anyhow::ensure!(known.is_none(), "a duplicate");
    sqlx::query(
        "INSERT INTO bench.leads (lead_id, seller_id, supplier_id, campaign_id, category_id, received_at, decided_at, outcome, \
         test, buyers_assigned, price, currency, reason, state, quality, reference, body_hash, data, trace) \
         SELECT $1, seller_id, supplier_id, campaign_id, category_id, now(), now(), 2, false, 1, 25, 'USD', '', 'CA', 'HOT', '', \
         body_hash, $3::json, trace FROM bench.src_leads WHERE campaign_id = $2 LIMIT 1",
    )
    .bind(lead_id)
    .bind(campaign.uuid())
    .bind(&text)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO bench.lead_fingerprints (campaign_id, fingerprint, lead_id, seen_at) SELECT $1, f, $3, now() FROM unnest($2::uuid[]) f",
    )
    .bind(campaign.uuid())
    .bind(&fingerprints)
    .bind(lead_id)
    .execute(&mut *transaction)
    .await?;
    let (subscription, buyer, seller): (Uuid, Uuid, Uuid) = sqlx::query_as(
        "SELECT r.subscription_id, s.buyer_id, s.seller_id FROM bench.subscription_rotation r \
         JOIN distribution.subscriptions s USING (subscription_id) WHERE r.campaign_id = $1 \
         ORDER BY r.last_served LIMIT 1 FOR UPDATE OF r",
    )
    .bind(campaign.uuid())
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query(
        "UPDATE bench.subscription_rotation SET last_served = (SELECT max(last_served) + 1 FROM bench.subscription_rotation \
         WHERE campaign_id = $1) WHERE campaign_id = $1 AND subscription_id = $2",
    )
    .bind(campaign.uuid())
    .bind(subscription)
    .execute(&mut *transaction)
    .await?;
    let (balance, number): (rust_decimal::Decimal, i64) = sqlx::query_as(
        "UPDATE bench.wallets SET balance = balance - 25, lines = lines + 1, spent_week = spent_week + 25, \
         spent_month = spent_month + 25 WHERE buyer_id = $1 AND balance - held >= 25 RETURNING balance, lines",
    )
    .bind(buyer)
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO bench.assignments (assignment_id, lead_id, buyer_id, subscription_id, campaign_id, seller_id, price, currency, \
         assigned_at) VALUES ($1, $2, $3, $4, $5, $6, 25, 'USD', now())",
    )
    .bind(assignment_id)
    .bind(lead_id)
    .bind(buyer)
    .bind(subscription)
    .bind(campaign.uuid())
    .bind(seller)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO bench.holds (hold_id, buyer_id, seller_id, lead_id, campaign_id, amount, state, attempts, placed_at, week_start, \
         month_start, ended_at, posting_id) VALUES ($1, $2, $3, $4, $5, 25, 'captured', 1, now(), current_date, current_date, now(), $6)",
    )
    .bind(assignment_id)
    .bind(buyer)
    .bind(seller)
    .bind(lead_id)
    .bind(campaign.uuid())
    .bind(posting_id)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO bench.postings (posting_id, kind, seller_id, assignment_id, at, description) \
         VALUES ($1, 'lead_purchase', $2, $3, now(), 'Lead purchase')",
    )
    .bind(posting_id)
    .bind(seller)
    .bind(assignment_id)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO bench.entries (posting_id, line, account_id, amount, number, balance_after) VALUES \
         ($1, 1, $2, -25, $3, $4), ($1, 2, $5, 25, NULL, NULL)",
    )
    .bind(posting_id)
    .bind(buyer)
    .bind(number + 1_000_000_000)
    .bind(balance)
    .bind(seller)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO bench.deliveries (delivery_id, seller_id, buyer_id, lead_id, assignment_id, endpoint_id, payload, status, due_at, \
         created_at) VALUES ($1, $2, $3, $4, $1, $3, $5, 'PENDING', now(), now())",
    )
    .bind(assignment_id)
    .bind(seller)
    .bind(buyer)
    .bind(lead_id)
    .bind(body)
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}
