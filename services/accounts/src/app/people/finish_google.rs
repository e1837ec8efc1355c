//! Back from Google.

use leadflow_accounts_domain::{
    Attempt, Entry, GooglePerson, Member, Namesake, NewBuyer, NewSeller, NewUser, Place, Priority, Wish,
};
use leadflow_kernel::{BuyerId, SellerId, UserId};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    People, PeopleError, Registered, SignIn,
    begin_google::Secrets,
    fingerprint,
    register::{Added, Opens},
};
use crate::{
    app::{
        audit::{self, Change},
        content_hash,
    },
    outbound::google::SignInRequest,
    store::{google, users},
};

/// Whoever comes at the same moment as the same person changes what is found at most a few times.
const TRIES: u32 = 5;
/// What Google says when somebody changed his mind.
const DENIED: &str = "access_denied";

/// What a browser comes back with.
#[derive(Debug, Clone, Default)]
pub struct Returned {
    /// Which sign-in it is.
    pub state: String,
    /// For which Google says who it is.
    pub code: String,
    /// Why there is no code.
    pub error: String,
    /// From the browser's cookie.
    pub browser: String,
    /// From where it comes.
    pub address: String,
    /// What it calls itself.
    pub user_agent: String,
}

/// Somebody who came in by Google.
#[derive(Debug, Clone)]
pub struct GoogleSignIn {
    /// His session.
    pub sign_in: SignIn,
    /// Where his browser goes.
    pub return_to: String,
    /// Whether he was not there before.
    pub registered: bool,
}

impl People {
    /// Signs in whoever came back from Google, registers him first if he asked for that, and gives a verified account
    /// with his address to him (see [`Entry::of`]).
    ///
    /// # Errors
    /// [`PeopleError::NoGoogle`], [`PeopleError::StateUnknown`], [`PeopleError::GoogleDenied`], [`PeopleError::Google`],
    /// [`PeopleError::GoogleUnknown`], [`PeopleError::GoogleUnlinked`], [`PeopleError::Suspended`], and those of
    /// registering.
    pub async fn finish_google(&self, returned: &Returned) -> Result<GoogleSignIn, PeopleError> {
        let google = self.google()?;
        let (state, browser) = (fingerprint(&returned.state), fingerprint(&returned.browser));
        let mut connection = self.pool.acquire().await?;
        let attempt = google::take(&mut connection, state, browser, self.clock.now()).await?;
        // Google may take its time, and connections are few.
        drop(connection);
        let attempt = attempt.ok_or(PeopleError::StateUnknown)?;
        if returned.code.is_empty() {
            return Err(if returned.error == DENIED { PeopleError::GoogleDenied } else { PeopleError::GoogleFailed });
        }
        let Secrets { nonce, verifier } = Secrets::of(&returned.browser);
        let request = SignInRequest {
            redirect_uri: &attempt.redirect_uri,
            state: &returned.state,
            nonce: &nonce,
            verifier: &verifier,
        };
        let person = google.person(&returned.code, request, self.clock.now()).await?;
        for _ in 0..TRIES {
            if let Some(entered) = self.enter(&person, &attempt, returned).await? {
                return Ok(entered);
            }
        }
        Err(PeopleError::Busy)
    }

    /// One look at whose account it is, and what follows from it. `None` when somebody else changed that meanwhile.
    async fn enter(
        &self,
        person: &GooglePerson,
        attempt: &Attempt,
        returned: &Returned,
    ) -> Result<Option<GoogleSignIn>, PeopleError> {
        let mut connection = self.pool.acquire().await?;
        let entry = self.entry(&mut connection, person).await?;
        // Between two looks the account may have been made, or linked, for this very person.
        let refused = entry == Entry::Refuse && google::find(&mut connection, person).await?.is_none();
        drop(connection);
        let (sign_in, registered) = match entry {
            Entry::Refuse if refused => return Err(PeopleError::GoogleUnlinked),
            Entry::Refuse => return Ok(None),
            Entry::Register => (self.enter_new(person, &attempt.wish, returned).await?, true),
            Entry::SignIn(id) | Entry::Link(id) => (self.enter_known(person, id, entry, returned).await?, false),
        };
        let return_to = attempt.return_to.clone();
        Ok(sign_in.map(|sign_in| GoogleSignIn { sign_in, return_to, registered }))
    }

    /// Signs a user in, and binds the account to him first if that is so, if all of it still holds now that he is locked.
    async fn enter_known(
        &self,
        person: &GooglePerson,
        id: UserId,
        entry: Entry,
        returned: &Returned,
    ) -> Result<Option<SignIn>, PeopleError> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let Some(known) = users::find_locked(&mut transaction, id).await? else { return Ok(None) };
        if self.entry(&mut transaction, person).await? != entry {
            return Ok(None);
        }
        if entry == Entry::Link(id) {
            if !google::link(&mut transaction, person, id, now).await? {
                return Ok(None);
            }
            let by = audit::actor(&known.user);
            let change = Change::new("user.google_linked", id).by(by).to(json!({ "google": person.subject }));
            audit::TRAIL.write(&mut transaction, known.user.place.seller_id(), now, change).await?;
        }
        let Returned { address, user_agent, .. } = returned;
        let sign_in = self.begin_session(&mut transaction, known.user, address, user_agent, now).await?;
        self.commit(transaction, Vec::new()).await?;
        Ok(Some(sign_in))
    }

    /// Registers somebody as what he asked for, binds the account to him and signs him in.
    async fn enter_new(
        &self,
        person: &GooglePerson,
        wish: &Wish,
        returned: &Returned,
    ) -> Result<Option<SignIn>, PeopleError> {
        let GooglePerson { issuer, subject, email, name, owns_email } = person;
        let new = |place| NewUser { id: UserId::new(), email: email.clone(), name: name.clone(), phone: None, place };
        let opens = Opens::Google { owns_email: *owns_email };
        let created_with = content_hash(&["google".to_owned(), issuer.clone(), subject.clone()]);
        let now = self.clock.now();
        let (mut tx, added) = match wish {
            Wish::SignIn => return Err(PeopleError::GoogleUnknown),
            Wish::Sell { company_name, time_zone } => {
                let seller = NewSeller::parse(SellerId::new(), company_name.as_str(), time_zone.name(), "", "", 0)?;
                let owner = new(Place::Seller(seller.id, Member::Owner));
                let mut tx = self.tenants.begin(seller.id).await?;
                let added = self.add_seller(&mut tx, seller, &owner, opens, created_with, now).await?;
                (tx, added)
            }
            Wish::Buy { company_name, invite } => {
                let seller_id = self.inviting(invite, now).await?;
                let buyer = NewBuyer {
                    id: BuyerId::new(),
                    company_name: company_name.clone().unwrap_or_else(|| name.clone()),
                    priority: Priority::DEFAULT,
                    weekly_limit: None,
                    monthly_limit: None,
                };
                let user = new(Place::Buyer(seller_id, buyer.id));
                let mut tx = self.tenants.begin(seller_id).await?;
                let added = self.add_buyer(&mut tx, &buyer, invite, &user, opens, created_with, now).await?;
                (tx, added)
            }
        };
        let Some(Added { registered: Registered { user, .. }, events }) = added else { return Ok(None) };
        if !google::link(&mut tx, person, user.id, now).await? {
            return Ok(None);
        }
        let Returned { address, user_agent, .. } = returned;
        let sign_in = self.begin_session(&mut tx, user, address, user_agent, now).await?;
        self.commit_tenant(tx, events).await?;
        Ok(Some(sign_in))
    }

    async fn entry(&self, connection: &mut PgConnection, person: &GooglePerson) -> Result<Entry, PeopleError> {
        let linked = google::find(connection, person).await?;
        let known = match linked {
            Some(_) => None,
            None => users::find_by_email(connection, &person.email).await?,
        };
        let has_google = match &known {
            Some(known) => google::is_linked(connection, known.user.id).await?,
            None => false,
        };
        let namesake = known.as_ref().map(|known| Namesake { user: &known.user, has_google });
        Ok(Entry::of(person, linked, namesake))
    }
}
