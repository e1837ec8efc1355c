//! Setting up a campaign.

use leadflow_distribution_domain::{Status, configure, returns::ReturnPolicy};
use leadflow_kernel::SellerId;
use leadflow_platform::audit::Change;

use super::{Actor, App, AppError, audit, made_for, put_category::SELLER_UNKNOWN};
use crate::{
    outbound::directory,
    store::{configuration, projections, records::Campaign, routing},
};

impl App {
    /// Creates or replaces a campaign by its id, if it is of the `expected` version (0: there is none). The same content
    /// again changes nothing. Without `returns` they stay as they are.
    ///
    /// # Errors
    /// [`AppError::ChangedMeanwhile`], [`AppError::Invalid`] (what is archived stays so), [`AppError::NotFound`] when the id or the
    /// category is another tenant's, [`AppError::Refused`] for an inactive category or while the tenant is not known.
    pub async fn put_campaign(
        &self,
        actor: Actor,
        seller: SellerId,
        mut wanted: Campaign,
        returns: Option<ReturnPolicy>,
        expected: Option<u64>,
    ) -> Result<Campaign, AppError> {
        wanted.name = configure::name("name", &wanted.name)?;
        configure::description("description", &wanted.description)?;
        configure::duplicate_rule(&wanted.duplicates)?;
        returns.as_ref().map_or(Ok(()), ReturnPolicy::check)?;
        wanted.lead_ttl_hours = configure::ttl_hours(wanted.lead_ttl_hours)?;
        let mut transaction = self.tenants.begin(seller).await?;
        let currency = projections::hold_seller(&mut transaction, seller).await?.ok_or(SELLER_UNKNOWN)?;
        configure::price(wanted.price, currency)?;
        let category = configuration::hold_category(&mut transaction, seller, wanted.category)
            .await?
            .ok_or(AppError::NotFound("category"))?;
        routing::create(&mut transaction, seller, wanted.id).await?;
        // Somebody else's id: nothing is said of it.
        routing::lock_one(&mut transaction, seller, wanted.id).await?.ok_or(AppError::NotFound("campaign"))?;
        let known = configuration::get_campaign(&mut transaction, seller, wanted.id).await?;
        let kept = || known.as_ref().map(|known| known.returns.clone());
        wanted.returns = returns.or_else(kept).unwrap_or_default();
        wanted.version = known.as_ref().map_or(0, |known| known.version);
        if known.as_ref() == Some(&wanted) {
            return Ok(wanted);
        }
        made_for(expected, wanted.version)?;
        if let Some(known) = &known {
            configure::status_change(known.status, wanted.status)?;
        }
        let new_category = known.as_ref().is_none_or(|known| known.category != wanted.category);
        if category.status != Status::Active && (new_category || wanted.status == Status::Active) {
            let sentence = "the category is not active".into();
            return Err(AppError::Refused { code: "category_inactive", sentence });
        }
        if new_category || known.as_ref().is_some_and(|known| known.duplicates != wanted.duplicates) {
            let fields: Vec<&str> = category.fields.iter().map(|field| field.name.as_str()).collect();
            configure::duplicate_fields(&wanted.duplicates, &fields)?;
        }
        wanted.version += 1;
        configuration::put_campaign(&mut transaction, &wanted, self.clock.now()).await?;
        routing::bump(&mut transaction, &[wanted.id]).await?;
        self.look_again(&mut transaction, &[wanted.id]).await?;
        let action = audit::action(
            known.as_ref().map(|known| known.status),
            wanted.status,
            ["campaign.created", "campaign.updated", "campaign.archived"],
        );
        let change = Change::new(action, wanted.id).by(actor).to(audit::campaign(&wanted));
        let change = known.iter().fold(change, |change, known| change.from(audit::campaign(known)));
        self.note(&mut transaction, seller, change).await?;
        self.commit(transaction, &directory::campaign_changed(&wanted)).await?;
        Ok(wanted)
    }
}
