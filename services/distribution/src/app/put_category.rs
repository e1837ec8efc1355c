//! Setting up a kind of lead.

use std::borrow::Cow;

use leadflow_distribution_domain::{
    configure,
    orphans::{self, Dependent},
};
use leadflow_kernel::{CampaignId, SellerId};
use leadflow_platform::audit::Change;

use super::{Actor, App, AppError, audit, made_for, taken};
use crate::{
    outbound::directory,
    store::{
        configuration, projections,
        records::{Category, Field},
        routing,
    },
};

const NAME_TAKEN: &str = "category_name_taken";

impl App {
    /// Creates or replaces a category by its id, if it is of the `expected` version (0: there is none). The same content
    /// again changes nothing.
    ///
    /// # Errors
    /// [`AppError::ChangedMeanwhile`], [`AppError::Invalid`], [`AppError::NotFound`] when the id is another tenant's,
    /// [`AppError::Taken`] when another category has the name, [`AppError::Refused`] while the tenant is not known and
    /// for what would leave campaigns without what they work by.
    pub async fn put_category(
        &self,
        actor: Actor,
        seller: SellerId,
        mut wanted: Category,
        expected: Option<u64>,
    ) -> Result<Category, AppError> {
        wanted.name = configure::name("name", &wanted.name)?;
        let mut transaction = self.tenants.begin(seller).await?;
        projections::hold_seller(&mut transaction, seller).await?.ok_or(SELLER_UNKNOWN)?;
        let known = configuration::lock_category(&mut transaction, seller, wanted.id).await?;
        // After the lock: whoever makes or changes a campaign of this category holds it.
        let campaigns = configuration::campaigns_of_category(&mut transaction, wanted.id).await?;
        wanted.version = known.as_ref().map_or(0, |known| known.version);
        if known.as_ref() == Some(&wanted) {
            return Ok(wanted);
        }
        made_for(expected, wanted.version)?;
        if let Some(known) = &known {
            configure::status_change(known.status, wanted.status)?;
            let dependents = campaigns
                .iter()
                .map(|one| Ok(Dependent { name: &one.name, status: one.status()?, fields: one.fields() }))
                .collect::<Result<Vec<_>, sqlx::Error>>()?;
            orphans::category_change(wanted.status, &shape(&known.fields), &shape(&wanted.fields), &dependents)
                .map_err(|orphaned| AppError::Refused {
                    code: orphaned.code(),
                    sentence: orphaned.to_string().into(),
                })?;
        }
        wanted.version += 1;
        let name_taken = "another category has this name";
        let written = configuration::put_category(&mut transaction, &wanted)
            .await
            .map_err(|error| taken(error, NAME_TAKEN, name_taken))?;
        if !written {
            // Made at this moment, or somebody else's: nothing is said of that.
            let ours = configuration::lock_category(&mut transaction, seller, wanted.id).await?.is_some();
            return Err(if ours { ID_TAKEN } else { AppError::NotFound("category") });
        }
        let campaigns: Vec<CampaignId> = campaigns.iter().map(|one| one.campaign_id.into()).collect();
        routing::bump(&mut transaction, &campaigns).await?;
        self.look_again(&mut transaction, &campaigns).await?;
        let action = audit::action(
            known.as_ref().map(|known| known.status),
            wanted.status,
            ["category.created", "category.updated", "category.archived"],
        );
        let change = Change::new(action, wanted.id).by(actor).to(audit::category(&wanted));
        let change = known.iter().fold(change, |change, known| change.from(audit::category(known)));
        self.note(&mut transaction, seller, change).await?;
        self.commit(transaction, &directory::category_changed(&wanted)).await?;
        Ok(wanted)
    }
}

/// Names and types.
fn shape(fields: &[Field]) -> Vec<(&str, i32)> {
    fields.iter().map(|field| (field.name.as_str(), field.kind)).collect()
}

/// Two callers made a record with one id at the same moment.
pub(super) const ID_TAKEN: AppError =
    AppError::Taken { code: "id_taken", sentence: "the id was taken at this moment: read it and try again" };

/// Nothing is known of the tenant: its record is on its way from accounts.
pub(super) const SELLER_UNKNOWN: AppError = AppError::Refused {
    code: "seller_unknown",
    sentence: Cow::Borrowed("the seller is not known here (yet): try again"),
};
