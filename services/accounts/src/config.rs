//! Settings.

use chrono::TimeDelta;
use leadflow_accounts_domain::SessionRules;
use leadflow_platform::{Env, db::DbSettings, grpc::ServiceToken, settings};
use url::Url;

use crate::{app::people::PeopleRules, outbound::google::GoogleSettings};

/// What accounts needs to know.
#[derive(Clone)]
pub struct Config {
    /// Its database.
    pub database: DbSettings,
    /// The secret that callers show.
    pub token: ServiceToken,
    /// How people are let in.
    pub people: PeopleRules,
    /// How this installation is known to Google, if it is.
    pub google: Option<GoogleSettings>,
}

impl Config {
    /// Reads the settings; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        Self {
            database: settings::database(env, "ACCOUNTS_DATABASE_URL", crate::ROLE, "leadflow-accounts"),
            token: settings::service_token(env),
            people: people(env),
            google: google(env),
        }
    }
}

fn people(env: &mut Env) -> PeopleRules {
    let default = PeopleRules::default();
    let passwords = env.or(
        "PASSWORD_RULES",
        default.passwords,
        "which new passwords are refused: strict (short or easily guessed ones) or demo (only short ones; not in production)",
    );
    let idle = bounded(
        env,
        "SESSION_IDLE_HOURS",
        default.sessions.idle.num_hours(),
        "hours after which an unused sign-in ends",
    );
    let absolute =
        bounded(env, "SESSION_HOURS", default.sessions.absolute.num_hours(), "hours after which every sign-in ends");
    PeopleRules {
        passwords,
        sessions: SessionRules { idle: TimeDelta::hours(idle), absolute: TimeDelta::hours(absolute) },
        reads: env.or("READS_PER_MINUTE", default.reads, "front ends' requests that read, for each user (address before sign-in)"),
        writes: env.or("WRITES_PER_MINUTE", default.writes, "front ends' requests that change something, for each user (address before sign-in)"),
        sign_ins: env.or("SIGN_INS_PER_MINUTE", default.sign_ins, "requests to sign in, register and the like, for each address"),
        provider_events: env.or("PROVIDER_EVENTS_PER_MINUTE", default.provider_events, "webhooks of a payment provider, for each address"),
        passwords_tried: env.or(
            "PASSWORDS_PER_QUARTER_HOUR",
            default.passwords_tried,
            "passwords tried for one e-mail address from one place; 5 times as many from one place, 10 times for one e-mail address",
        ),
    }
}

fn google(env: &mut Env) -> Option<GoogleSettings> {
    let client_id: Option<String> =
        env.optional("GOOGLE_CLIENT_ID", "this installation's client id at Google; none: nobody signs in by Google");
    let client_secret = env.optional_secret("GOOGLE_CLIENT_SECRET", "and its client secret");
    let issuer = env.or(
        "GOOGLE_ISSUER",
        "https://accounts.google.com".to_owned(),
        "who signs the id tokens: Google, or another OpenID provider, exactly as it calls itself",
    );
    let allow_loopback = env.or(
        "GOOGLE_ALLOW_LOOPBACK",
        false,
        "true lets the issuer be on this machine, without TLS; for development only",
    );
    let url = Url::parse(&issuer).ok();
    let scheme = url.as_ref().map(Url::scheme);
    if !(scheme == Some("https") || (allow_loopback && scheme == Some("http"))) {
        env.problem("GOOGLE_ISSUER must be an https URL");
    }
    match (client_id, client_secret) {
        (Some(client_id), Some(client_secret)) => {
            Some(GoogleSettings { client_id, client_secret, issuer, allow_loopback })
        }
        (None, None) => None,
        _ => {
            env.problem("GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET belong together: set both or none");
            None
        }
    }
}

/// Whole hours, 1 to a year of them.
fn bounded(env: &mut Env, name: &'static str, default: i64, help: &'static str) -> i64 {
    let hours = env.or(name, default, help);
    if !(1..=366 * 24).contains(&hours) {
        env.problem(format!("{name} must be 1 to {}", 366 * 24));
        return default;
    }
    hours
}
