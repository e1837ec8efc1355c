//! People of the tests beside a tenant's first ones: its team, its supplier's, administrators; and the mails they get.

use leadflow_accounts::outbound::mail::Sealer;
use leadflow_contracts::{
    accounts::{CreateAdminRequest, people_client::PeopleClient},
    events::{MailContents, MailWanted},
};
use leadflow_kernel::UserId;
use leadflow_messaging::{Bus, BusSettings, tail::Tail};
use leadflow_platform::grpc::{Caller, ServiceToken, channel};
use leadflow_testkit::cluster::SERVICE_TOKEN;
use serde_json::json;

use crate::world::{PASSWORD, PATIENCE, Person, Tenant, World};

/// Mails as somebody sees them who may open them.
pub struct Mails {
    tail: Tail,
    sealer: Sealer,
}

impl Mails {
    /// The next one to this address.
    pub async fn next_to(&mut self, email: &str) -> MailContents {
        let next = async {
            loop {
                let (message, _) = self.tail.next().await.unwrap();
                let mail: MailWanted = message.decode().unwrap();
                let contents = self.sealer.open(&mail).unwrap();
                if contents.email == email {
                    return contents;
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("a mail")
    }
}

impl World {
    /// The mails that are asked for from now on.
    pub async fn mails(&self) -> Mails {
        let settings =
            BusSettings { url: self.cluster.nats.url(), source: "test".to_owned(), connect_within: PATIENCE };
        let bus = Bus::connect(&settings).await.unwrap();
        let tail = Tail::on(&bus, "notification.mail_wanted").await.unwrap();
        Mails { tail, sealer: Sealer::new(&ServiceToken::new(SERVICE_TOKEN)) }
    }

    async fn invited(&self, path: &str, seller: &Person, body: serde_json::Value) -> Person {
        let email = body["email"].as_str().unwrap().to_owned();
        let mut mails = self.mails().await;
        let answer = self.client.post(path, &seller.token, &body).await.ok(201);
        assert_eq!(answer["invitation"]["email"], email.as_str());
        let token = mails.next_to(&email).await.token;
        assert!(!answer.to_string().contains(&token), "only the mail has it");
        let body = json!({ "token": token, "password": PASSWORD, "name": "Invited" });
        self.client.post("/api/team/invitations/accept", "", &body).await.ok(201);
        self.log_in(&email).await
    }

    /// Somebody new in the seller's team.
    pub async fn member(&self, owner: &Person, email: &str, role: &str) -> Person {
        self.invited("/api/team/invitations", owner, json!({ "email": email, "role": role })).await
    }

    /// Somebody who signs in for the tenant's supplier.
    pub async fn suppliers_person(&self, tenant: &Tenant, email: &str) -> Person {
        let path = format!("/api/suppliers/{}/invite", tenant.supplier);
        self.invited(&path, &tenant.seller, json!({ "email": email })).await
    }

    /// Somebody who runs the platform, as `leadflow admin create` makes him.
    pub async fn admin(&self, email: &str) -> Person {
        let mut people = PeopleClient::new(channel(&self.cluster.grpc_urls("accounts"), "ACCOUNTS_GRPC_URL").unwrap());
        let request = CreateAdminRequest {
            user_id: UserId::new().to_string(),
            email: email.to_owned(),
            password: PASSWORD.to_owned(),
            name: "Ada".to_owned(),
        };
        let caller = Caller::new(ServiceToken::new(SERVICE_TOKEN));
        people.create_admin(caller.unbound(request, PATIENCE)).await.unwrap();
        self.log_in(email).await
    }
}
