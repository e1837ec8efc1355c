//! What messages cost: whether there is a price in every tenant's currency.

use std::collections::BTreeMap;

use sqlx::{Connection as _, PgConnection};

use super::{Check, Known, PATIENCE};
use crate::local::environment;

const WHAT: &str = "messages' prices";

/// Nothing is said while other settings or the database are wrong, which has been told already.
pub(super) async fn look(known: &Known, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(&known.merged);
    let config = leadflow_billing::Config::read(&mut env);
    if let Err(error) = env.finish() {
        let ours = |problem: &&String| problem.starts_with("USAGE_");
        checks.extend(error.problems.iter().filter(ours).map(|problem| Check::bad(WHAT, problem, "set it right")));
        return;
    }
    let tenants = tokio::time::timeout(PATIENCE, tenants(&config.database.url)).await;
    let Ok(Ok(tenants)) = tenants else { return };
    let mut without: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (currency, tenants) in &tenants {
        let word = if *tenants == 1 { "tenant" } else { "tenants" };
        for kind in config.kinds_without_a_price(currency) {
            without.entry(kind).or_default().push(format!("{currency} ({tenants} {word})"));
        }
    }
    checks.extend(without.into_iter().map(|(kind, currencies)| {
        Check::warning(
            WHAT,
            format!(
                "{kind}: no price in {}; what is sent is counted, and not posted until there is one",
                currencies.join(", ")
            ),
            format!("add it to USAGE_{}_COST, such as `USD 0.001, EUR 0.0009`", kind.to_uppercase()),
        )
    }));
}

/// How many tenants there are with each currency.
async fn tenants(url: &str) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let counted = "SELECT currency, count(*) FROM billing.sellers WHERE currency IS NOT NULL GROUP BY 1 ORDER BY 1";
    let tenants = sqlx::query_as(counted).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(tenants)
}
