//! Setting up a subscription.

use leadflow_distribution_domain::{Status, configure};
use leadflow_kernel::SellerId;
use leadflow_platform::audit::Change;

use super::{Actor, App, AppError, audit, made_for, put_category::ID_TAKEN, taken};
use crate::{
    outbound::directory,
    store::{configuration, projections, records::Subscription, routing},
};

impl App {
    /// Creates or replaces a subscription by its id, if it is of the `expected` version (0: there is none); gives it back
    /// with what counts for its cap today. The same content again changes nothing.
    ///
    /// # Errors
    /// [`AppError::ChangedMeanwhile`], [`AppError::Invalid`] (states need the campaign's leave), [`AppError::NotFound`] when
    /// campaign, buyer or id are another tenant's, [`AppError::Taken`] when the id is of another
    /// campaign or buyer, or the buyer has another subscription there, [`AppError::Refused`] for
    /// a change of an archived one or in an archived campaign.
    pub async fn put_subscription(
        &self,
        actor: Actor,
        seller: SellerId,
        mut wanted: Subscription,
        expected: Option<u64>,
    ) -> Result<(Subscription, u32), AppError> {
        configure::daily_cap(wanted.daily_cap)?;
        let mut transaction = self.tenants.begin(seller).await?;
        if !projections::hold_buyer(&mut transaction, seller, wanted.buyer).await? {
            return Err(AppError::NotFound("buyer"));
        }
        routing::lock_one(&mut transaction, seller, wanted.campaign).await?.ok_or(AppError::NotFound("campaign"))?;
        let campaign = configuration::get_campaign(&mut transaction, seller, wanted.campaign)
            .await?
            .ok_or(AppError::NotFound("campaign"))?;
        let known = configuration::get_subscription(&mut transaction, seller, wanted.id).await?;
        if known.as_ref().is_some_and(|known| (known.campaign, known.buyer) != (wanted.campaign, wanted.buyer)) {
            let sentence = "this id is a subscription of another campaign or buyer";
            return Err(AppError::Taken { code: "subscription_differs", sentence });
        }
        wanted.version = known.as_ref().map_or(0, |known| known.version);
        if known.as_ref() == Some(&wanted) {
            let sold = self.sold_today(&mut transaction, seller, wanted.campaign).await?;
            let sold = sold.get(&wanted.id).copied().unwrap_or(0);
            return Ok((wanted, sold));
        }
        made_for(expected, wanted.version)?;
        if let Some(known) = &known {
            configure::status_change(known.status, wanted.status)?;
        }
        // What was chosen while it was allowed may stay: it counts for nothing until it is allowed again.
        let chosen = known.as_ref().is_none_or(|known| known.states != wanted.states);
        if chosen && !wanted.states.is_empty() && !campaign.allow_state_selection {
            let codes: Vec<String> = wanted.states.codes().map(str::to_owned).collect();
            configure::states(&codes, false)?;
        }
        if campaign.status == Status::Archived && wanted.status != Status::Archived {
            return Err(AppError::Refused { code: "campaign_archived", sentence: "the campaign is archived".into() });
        }
        wanted.version += 1;
        let sentence = "the buyer has another subscription to this campaign";
        let written = configuration::put_subscription(&mut transaction, &wanted, self.clock.now())
            .await
            .map_err(|error| taken(error, "already_subscribed", sentence))?;
        if !written {
            // Made at this moment, or somebody else's: nothing is said of that.
            let ours = configuration::get_subscription(&mut transaction, seller, wanted.id).await?.is_some();
            return Err(if ours { ID_TAKEN } else { AppError::NotFound("subscription") });
        }
        // One that begins archived is never served: its row would only be an old copy of the live one's.
        if known.is_none() && wanted.status != Status::Archived {
            routing::keep_place(&mut transaction, wanted.campaign, wanted.buyer, wanted.id).await?;
        }
        let sold = self.sold_today(&mut transaction, seller, wanted.campaign).await?;
        let sold = sold.get(&wanted.id).copied().unwrap_or(0);
        routing::bump(&mut transaction, &[wanted.campaign]).await?;
        self.look_again(&mut transaction, &[wanted.campaign]).await?;
        let action = audit::action(
            known.as_ref().map(|known| known.status),
            wanted.status,
            ["subscription.created", "subscription.updated", "subscription.archived"],
        );
        let change = Change::new(action, wanted.id).by(actor).to(audit::subscription(&wanted));
        let change = known.iter().fold(change, |change, known| change.from(audit::subscription(known)));
        self.note(&mut transaction, seller, change).await?;
        self.commit(transaction, &directory::subscription_changed(&wanted)).await?;
        Ok((wanted, sold))
    }
}
