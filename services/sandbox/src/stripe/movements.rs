//! The account's balance: what came in, what went out, what Stripe keeps.

use chrono::{DateTime, Utc};

use super::{
    Params,
    core::Core,
    error::{Outcome, StripeError},
    list,
    model::{Charge, Movement, PaymentIntent},
};

/// What a dispute costs, in the smallest unit.
pub(super) const DISPUTE_FEE: i64 = 1_500;

/// What a charge costs: 2.9 % and 30 of the smallest unit.
fn charge_fee(amount: i64) -> i64 {
    (amount * 29 + 500) / 1_000 + 30
}

impl Core {
    pub(super) fn charge_movement(&mut self, charge: &str, intent: &PaymentIntent, now: DateTime<Utc>) -> String {
        self.movement(Movement {
            id: String::new(),
            created: now,
            kind: "charge".to_owned(),
            category: "charge".to_owned(),
            amount: intent.amount,
            fee: charge_fee(intent.amount),
            currency: intent.currency.clone(),
            source: charge.to_owned(),
            description: intent.description.clone(),
        })
    }

    /// Money that leaves or comes back because of something that happened to a charge.
    pub(super) fn charge_adjusted(
        &mut self,
        charge: &Charge,
        (kind, category): (&str, &str),
        (amount, fee): (i64, i64),
        source: &str,
        now: DateTime<Utc>,
    ) -> String {
        self.movement(Movement {
            id: String::new(),
            created: now,
            kind: kind.to_owned(),
            category: category.to_owned(),
            amount,
            fee,
            currency: charge.currency.clone(),
            source: source.to_owned(),
            description: Some(format!("{} of {}", category.replace('_', " "), charge.id)),
        })
    }

    fn movement(&mut self, mut row: Movement) -> String {
        row.id = self.ids.next("txn");
        let id = row.id.clone();
        self.movements.insert(row);
        id
    }

    /// `GET /v1/balance_transactions/{id}`.
    ///
    /// # Errors
    /// 404.
    pub fn balance_transaction(&self, id: &str) -> Outcome {
        let missing = || StripeError::missing("balance transaction", id, "id");
        Ok(self.show_movement(self.movements.get(id).ok_or_else(missing)?))
    }

    /// `GET /v1/balance_transactions`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn list_balance_transactions(&self, params: &Params) -> Outcome {
        params.only(&[&list::COMMON[..], &["type", "source", "currency"]].concat())?;
        let (kind, source, currency) = (params.text("type")?, params.text("source")?, params.text("currency")?);
        let wanted = |row: &Movement| {
            kind.is_none_or(|kind| row.kind == kind)
                && source.is_none_or(|source| row.source == source)
                && currency.is_none_or(|currency| row.currency == currency)
        };
        let show = |row: &Movement| self.show_movement(row);
        list::page(&self.movements, "/v1/balance_transactions", params, |row| row.created, wanted, show)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_share() {
        assert_eq!([100, 5_000, 10_000, 3_333].map(charge_fee), [33, 175, 320, 127]);
    }
}
