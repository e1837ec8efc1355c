//! The one way by which news of a dispute is booked.

use leadflow_billing_domain::{Books, CardMove, DisputeState, DisputeStep, dispute_step};
use leadflow_kernel::{EventId, Money, PostingId};
use leadflow_messaging::Envelope;

use super::{DisputeNews, Heard, Payments};
use crate::{
    app::AppError,
    outbound::events,
    store::{
        disputes::{self, Dispute},
        payments,
    },
};

impl Payments {
    /// Books what the provider says of a dispute: its money is set aside when it begins, and back or gone when it is decided. The news may
    /// come in any order; a decision is final.
    ///
    /// # Errors
    /// [`AppError::Database`]; telling again is safe.
    pub async fn settle_dispute(&self, news: &DisputeNews) -> Result<Heard, AppError> {
        let Some((seller, buyer, id)) = self.settled_owner(news.payment, &news.intent).await? else {
            tracing::warn!(dispute_id = %news.id, "the provider tells of a dispute of a charge that is not ours");
            return Ok(Heard::NotOurs);
        };
        let mut tx = self.billing.tenants.begin(seller).await?;
        let wallet = Self::lock_wallet(&mut tx, seller, buyer).await?;
        let Some(mut payment) = payments::lock(&mut tx, seller, id).await? else { return Ok(Heard::NotOurs) };
        let known = disputes::find(&mut tx, seller, &news.id).await?;
        let Some(step) = dispute_step(known.map(|(_, state)| state), news.state) else { return Ok(Heard::Known) };
        // What was set aside comes back, whatever a later message says the amount is.
        let amount = match known {
            Some((amount, _)) => Money::new(amount, wallet.terms.currency).map_err(AppError::Amount)?,
            None if news.amount.currency() == wallet.terms.currency => news.amount,
            None => return Err(AppError::Currency),
        };
        let now = self.now();
        let (opening, closing) = (PostingId::new(), PostingId::new());
        let mut books = Books::new([wallet], []);
        let moved = |posting| CardMove { seller, buyer, payment: id, posting, now };
        Self::open_accounts(&mut tx, &wallet).await?;
        let opens = matches!(step, DisputeStep::Open | DisputeStep::OpenAndLose);
        if opens {
            let text = "Disputed by the card's owner".to_owned();
            books
                .dispute_opened(moved(opening), amount, self.policy.suspend_on_dispute, text)
                .map_err(AppError::CardMoney)?;
            payment.disputed += amount.amount();
        }
        let won = step == DisputeStep::Win;
        let closes = won || matches!(step, DisputeStep::OpenAndLose | DisputeStep::Lose);
        if closes {
            let text = if won { "Dispute won" } else { "Dispute lost" };
            books.dispute_closed(moved(closing), amount, won, text.to_owned()).map_err(AppError::CardMoney)?;
        }
        let mut events = Vec::new();
        if won {
            payment.disputed -= amount.amount();
            books.repay_debt(seller, buyer, PostingId::new(), now);
            let wallet = books.wallet(seller, buyer).copied().unwrap_or(wallet);
            events.push(Envelope::new(EventId::new(), &events::credited(&wallet, amount, closing), now));
        }
        let dispute = Dispute {
            id: news.id.clone(),
            seller,
            buyer,
            payment: id,
            amount: amount.amount(),
            state: news.state,
            opened_posting: opens.then_some(opening),
            closed_posting: closes.then_some(closing),
        };
        events.push(Envelope::new(EventId::new(), &events::dispute_changed(&dispute, amount), now));
        disputes::save(&mut tx, &dispute, now).await?;
        payments::save(&mut tx, &payment, now, now).await?;
        self.billing.commit_tenant(tx, &books.into_changes(), events).await?;
        if news.state == DisputeState::Open {
            tracing::warn!(dispute_id = %news.id, payment_id = %id, "a card's owner disputes a payment");
        }
        Ok(Heard::Booked)
    }
}
