//! What a seller pays for a message.

use leadflow_billing_domain::{Markups, UsageKind};
use leadflow_kernel::{Currency, SellerId};
use leadflow_platform::{audit::Change, db::TenantTx};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Usage;
use crate::{
    app::{Actor, TRAIL},
    store::{usage::Costs, usage_report},
};

/// What is paid for one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageTerm {
    /// Which.
    pub kind: UsageKind,
    /// Of a unit, in the seller's currency; `None`: there is no price in it.
    pub cost: Option<Decimal>,
    /// On top, in percent.
    pub markup_percent: Decimal,
    /// Nobody has chosen another markup.
    pub usual: bool,
}

/// What a seller pays for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageTerms {
    /// The seller's.
    pub currency: Currency,
    /// One for each kind.
    pub terms: [UsageTerm; UsageKind::ALL.len()],
}

impl Usage {
    /// What messages that are sent now are counted by.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn terms(&self, tenant: SellerId) -> Result<UsageTerms, sqlx::Error> {
        let costs = self.costs().await?;
        let mut tx = self.tenants.begin(tenant).await?;
        self.terms_in(&mut tx, tenant, &costs).await
    }

    /// Chooses the markups of what is sent from now on; what was sent keeps its own.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn set_markups(
        &self,
        actor: Actor,
        tenant: SellerId,
        markups: Markups,
    ) -> Result<UsageTerms, sqlx::Error> {
        let costs = self.costs().await?;
        let mut tx = self.tenants.begin(tenant).await?;
        usage_report::lock_markups(&mut tx, tenant).await?;
        let before = usage_report::markups(&mut tx, tenant).await?;
        if markups != before {
            let now = self.clock.now();
            usage_report::set_markups(&mut tx, tenant, markups, now).await?;
            let change =
                Change::new("usage.terms_set", tenant).by(actor).from(in_words(&before)).to(in_words(&markups));
            TRAIL.write(&mut tx, Some(tenant), now, change).await?;
        }
        let terms = self.terms_in(&mut tx, tenant, &costs).await?;
        tx.commit().await?;
        Ok(terms)
    }

    pub(super) async fn terms_in(
        &self,
        tx: &mut TenantTx,
        tenant: SellerId,
        costs: &Costs,
    ) -> Result<UsageTerms, sqlx::Error> {
        let now = self.clock.now();
        // Until his record has come: nothing of his can have another currency yet.
        let currency = usage_report::calendar(tx, tenant).await?.map_or(Currency::USD, |(_, currency)| currency);
        let markups = usage_report::markups(tx, tenant).await?;
        let terms = UsageKind::ALL.map(|kind| UsageTerm {
            kind,
            cost: costs.get(&(kind, currency)).and_then(|prices| prices.price(now)),
            markup_percent: markups.of(kind),
            usual: markups.chosen(kind).is_none(),
        });
        Ok(UsageTerms { currency, terms })
    }
}

/// For the audit: percent by kind.
fn in_words(markups: &Markups) -> Value {
    let percent = |kind| markups.of(kind).normalize().to_string();
    json!({
        "emailMarkup": percent(UsageKind::Email),
        "smsMarkup": percent(UsageKind::Sms),
        "webhookMarkup": percent(UsageKind::Webhook),
    })
}
