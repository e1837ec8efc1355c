//! Webhooks that were given up: what an operator is told of them, and having them worked off again.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;

use super::read::Event;
use crate::store::provider_events;
pub use crate::store::provider_events::GivenUp;

/// The ids that an event's object may name, and what else of it is nobody's secret. Everything else of a webhook (addresses, names, the
/// secrets of front ends) is not shown.
const SHOWN: [&str; 9] =
    ["object", "id", "payment_intent", "charge", "customer", "payment_method", "amount", "currency", "status"];
/// Our own names of things, in an object's metadata.
const OURS: [&str; 4] = ["payment_id", "refund_id", "buyer_id", "seller_id"];
const LONGEST: usize = 255;

/// Webhooks that nobody works off any more, of all tenants. For operators.
#[derive(Debug, Clone)]
pub struct GivenUpEvents {
    pool: PgPool,
}

/// One of them with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// It.
    pub event: GivenUp,
    /// Names and values of its object: ids, amount, currency and status.
    pub about: Vec<(String, String)>,
}

impl GivenUpEvents {
    /// Those in billing's database.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The oldest `limit`, the oldest first.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn list(&self, limit: i64) -> Result<Vec<GivenUp>, sqlx::Error> {
        provider_events::given_up(&mut *self.pool.acquire().await?, limit).await
    }

    /// How many there are.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn count(&self) -> Result<i64, sqlx::Error> {
        provider_events::count_given_up(&mut *self.pool.acquire().await?).await
    }

    /// One of them, without what is personal or secret; `None`: there is no such one.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn show(&self, id: &str) -> Result<Option<Detail>, sqlx::Error> {
        let found = provider_events::find_given_up(&mut *self.pool.acquire().await?, id).await?;
        Ok(found.map(|(event, body)| Detail { event, about: about(&body) }))
    }

    /// Has these worked off again by whatever replica takes them, or all of them. Tells which they are; one that is not given up (any
    /// more) is not among them.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn retry(&self, ids: Option<&[String]>, now: DateTime<Utc>) -> Result<Vec<String>, sqlx::Error> {
        provider_events::try_again(&mut *self.pool.acquire().await?, ids, now).await
    }
}

fn about(body: &str) -> Vec<(String, String)> {
    let Some(event) = Event::read(body) else { return Vec::new() };
    let whole = SHOWN.iter().filter_map(|name| Some(((*name).to_owned(), shown(event.object.get(*name)?)?)));
    let metadata = event.object.get("metadata");
    let ours = OURS.iter().filter_map(|name| Some((format!("metadata.{name}"), shown(metadata?.get(*name)?)?)));
    whole.chain(ours).collect()
}

/// An id, a word or a number; of an object that is written out, its id.
fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(object) => object.get("id")?.as_str()?.to_owned(),
        _ => return None,
    };
    let plain =
        text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    // The secret of a front end has the shape of an id.
    (plain && !text.contains("_secret")).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::about;

    #[test]
    fn what_is_personal_or_secret_is_not_shown() {
        let body = r#"{"id":"evt_1","type":"payment_intent.succeeded","created":1800000000,"data":{"object":{"object":"payment_intent",
            "id":"pi_1","amount":5000,"currency":"usd","status":"succeeded","client_secret":"pi_1_secret_x","receipt_email":"bea@buyer.example",
            "customer":{"id":"cus_1","email":"bea@buyer.example"},"charge":"pi_1_secret_y","payment_method":"bea@buyer.example",
            "metadata":{"payment_id":"pay_1","note":"Bea"}}}}"#;
        let told = about(body).iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        let wanted = "object=payment_intent id=pi_1 customer=cus_1 amount=5000 currency=usd status=succeeded metadata.payment_id=pay_1";
        assert_eq!(told, wanted);
        assert_eq!(about("{}"), []);
    }
}
