//! What was published stays readable: golden samples of every event, and a listing of every field
//! and method that no later change may take away or renumber.
//!
//! A new event or field: run `UPDATE_SAMPLES=1 cargo test -p leadflow-contracts` once and commit
//! what it adds. It never rewrites a sample.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use leadflow_contracts::{Event, common, events, to_json};
use prost_reflect::DescriptorPool;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/v1")
}

fn updating() -> bool {
    env::var_os("UPDATE_SAMPLES").is_some()
}

fn money(amount: &str) -> Option<common::Money> {
    Some(common::Money { amount: amount.into(), currency: "USD".into() })
}

const LEAD: &str = "lead_01h455vb4pex5vsknk084sn02q";
const SELLER: &str = "seller_01h455vb4pex5vsknk084sn02q";
const BUYER: &str = "buyer_01h455vb4pex5vsknk084sn02q";
const SUPPLIER: &str = "supplier_01h455vb4pex5vsknk084sn02q";
const CAMPAIGN: &str = "camp_01h455vb4pex5vsknk084sn02q";
const CATEGORY: &str = "cat_01h455vb4pex5vsknk084sn02q";
const SUBSCRIPTION: &str = "sub_01h455vb4pex5vsknk084sn02q";
const ASSIGNMENT: &str = "asg_01h455vb4pex5vsknk084sn02q";
const AT: i64 = 1_765_108_800_000;

fn decision(outcome: common::Outcome) -> Option<common::Decision> {
    Some(common::Decision {
        lead_id: LEAD.into(),
        outcome: outcome.into(),
        reason: "no_eligible_buyer".into(),
        buyers_assigned: 1,
        price: money("25.00"),
        test: true,
        reference: "order-7".into(),
    })
}

fn sample<E: Event + PartialEq + std::fmt::Debug>(name: &str, event: &E, seen: &mut BTreeSet<String>) {
    seen.insert(E::TYPE.to_owned());
    let (bin, json) = (folder().join(format!("{name}.bin")), folder().join(format!("{name}.json")));
    let now = event.encode_to_vec();
    if updating() && !bin.exists() {
        fs::write(&bin, &now).unwrap();
        let text = serde_json::to_string_pretty(&to_json(E::TYPE, &now).unwrap()).unwrap();
        fs::write(&json, text + "\n").unwrap();
    }
    let stored = fs::read(&bin).unwrap_or_else(|_| panic!("{name}: no golden sample; see the top of this file"));
    let expected: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(to_json(E::TYPE, &stored).unwrap(), expected, "{name}: the published sample reads differently now");
    assert_eq!(E::decode(&stored[..]).unwrap(), E::decode(&now[..]).unwrap(), "{name}: decodes to something else");
}

#[test]
fn every_event_ever_published_reads_as_it_was_meant() {
    let mut seen = BTreeSet::new();
    let data = br#"{"email":"john@example.com"}"#.to_vec();
    sample(
        "LeadReceived",
        &events::LeadReceived {
            lead_id: LEAD.into(),
            seller_id: SELLER.into(),
            supplier_id: SUPPLIER.into(),
            campaign_id: CAMPAIGN.into(),
            category_id: CATEGORY.into(),
            state: "CA".into(),
            quality: "HOT".into(),
            data_json: data.clone().into(),
            raw_json: br#"{"email":"John@Example.com"}"#.to_vec().into(),
            unknown_fields: vec!["shoeSize".into()],
            reference: "order-7".into(),
            test: true,
            received_at_ms: AT,
            body_hash: vec![7; 32].into(),
            reply_subject: "decision.gw1".into(),
        },
        &mut seen,
    );
    sample(
        "LeadAssigned",
        &events::LeadAssigned {
            lead_id: LEAD.into(),
            seller_id: SELLER.into(),
            supplier_id: SUPPLIER.into(),
            campaign_id: CAMPAIGN.into(),
            campaign_name: "Medicare Leads - California".into(),
            category_id: CATEGORY.into(),
            category_name: "Medicare Supplement".into(),
            state: "CA".into(),
            quality: "HOT".into(),
            data_json: data.into(),
            assignments: vec![events::Assignment {
                assignment_id: ASSIGNMENT.into(),
                buyer_id: BUYER.into(),
                subscription_id: SUBSCRIPTION.into(),
                price: money("25.00"),
            }],
            received_at_ms: AT,
            assigned_at_ms: AT + 3,
        },
        &mut seen,
    );
    sample(
        "LeadDecided",
        &events::LeadDecided {
            seller_id: SELLER.into(),
            supplier_id: SUPPLIER.into(),
            campaign_id: CAMPAIGN.into(),
            decision: decision(common::Outcome::Unsold),
            decided_at_ms: AT,
        },
        &mut seen,
    );
    sample(
        "WalletCredited",
        &events::WalletCredited {
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            amount: money("100.00"),
            available: money("120.00"),
            posting_id: "post_01h455vb4pex5vsknk084sn02q".into(),
        },
        &mut seen,
    );
    sample(
        "WalletLowBalance",
        &events::WalletLowBalance {
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            available: money("9.00"),
            threshold: money("10.00"),
        },
        &mut seen,
    );
    sample(
        "WalletReleased",
        &events::WalletReleased {
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            amount: money("25.00"),
            available: money("45.00"),
        },
        &mut seen,
    );
    sample(
        "WalletLimitsChanged",
        &events::WalletLimitsChanged { buyer_id: BUYER.into(), seller_id: SELLER.into() },
        &mut seen,
    );
    sample(
        "SellerChanged",
        &events::SellerChanged {
            seller_id: SELLER.into(),
            version: 3,
            company_name: "Acme Leads".into(),
            status: common::Status::Active.into(),
            time_zone: "America/New_York".into(),
            currency: "USD".into(),
            platform_fee_percent: "5".into(),
            posts_per_second: 50,
            retention_days: 0,
        },
        &mut seen,
    );
    sample(
        "BuyerChanged",
        &events::BuyerChanged {
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            version: 2,
            company_name: "XYZ Agency".into(),
            status: common::Status::Active.into(),
            priority: 5,
            weekly_spending_limit: money("500.00"),
            monthly_spending_limit: money("0.00"),
        },
        &mut seen,
    );
    sample(
        "SupplierChanged",
        &events::SupplierChanged {
            supplier_id: SUPPLIER.into(),
            seller_id: SELLER.into(),
            version: 1,
            name: "Clicks Inc".into(),
            status: common::Status::Active.into(),
            category_ids: vec![CATEGORY.into()],
            keys: vec![events::ApiKey {
                key_id: "key_01h455vb4pex5vsknk084sn02q".into(),
                sha256: vec![9; 32].into(),
                expires_at_ms: AT,
            }],
            posts_per_second: 20,
        },
        &mut seen,
    );
    sample(
        "CategoryChanged",
        &events::CategoryChanged {
            category_id: CATEGORY.into(),
            seller_id: SELLER.into(),
            version: 1,
            name: "Medicare Supplement".into(),
            status: common::Status::Active.into(),
            fields: vec![common::FieldDef {
                name: "coverage".into(),
                r#type: common::FieldType::Select.into(),
                required: true,
                description: "which plan".into(),
                options: vec!["A".into(), "B".into()],
            }],
        },
        &mut seen,
    );
    sample(
        "CampaignChanged",
        &events::CampaignChanged {
            campaign_id: CAMPAIGN.into(),
            seller_id: SELLER.into(),
            version: 4,
            category_id: CATEGORY.into(),
            name: "Medicare Leads - California".into(),
            status: common::Status::Paused.into(),
            logic: common::Logic::WeightedRoundRobin.into(),
            price: money("25.00"),
        },
        &mut seen,
    );
    sample(
        "SubscriptionChanged",
        &events::SubscriptionChanged {
            subscription_id: SUBSCRIPTION.into(),
            campaign_id: CAMPAIGN.into(),
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            version: 1,
            status: common::Status::Archived.into(),
        },
        &mut seen,
    );
    sample(
        "DeliveryEnded",
        &events::DeliveryEnded {
            delivery_id: "dlv_01h455vb4pex5vsknk084sn02q".into(),
            assignment_id: ASSIGNMENT.into(),
            lead_id: LEAD.into(),
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            endpoint_id: "ep_01h455vb4pex5vsknk084sn02q".into(),
            delivered: false,
            attempts: 8,
            error: "answered 500".into(),
            ended_at_ms: AT,
        },
        &mut seen,
    );
    sample(
        "EndpointDisabled",
        &events::EndpointDisabled {
            endpoint_id: "ep_01h455vb4pex5vsknk084sn02q".into(),
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            reason: "failed for 5 days".into(),
            failing_since_ms: AT,
        },
        &mut seen,
    );
    sample(
        "MailWanted",
        &events::MailWanted {
            mail_id: "mail_01h455vb4pex5vsknk084sn02q".into(),
            kind: events::MailKind::ResetPassword.into(),
            user_id: "user_01h455vb4pex5vsknk084sn02q".into(),
            seller_id: SELLER.into(),
            sealed: vec![5; 60].into(),
            expires_at_ms: AT,
        },
        &mut seen,
    );
    sample(
        "LeadsMasked",
        &events::LeadsMasked {
            seller_id: SELLER.into(),
            leads: vec![events::MaskedLead {
                lead_id: LEAD.into(),
                sales: vec![events::MaskedSale { assignment_id: ASSIGNMENT.into(), buyer_id: BUYER.into() }],
            }],
            erasure_id: "era_01h455vb4pex5vsknk084sn02q".into(),
            masked_at_ms: AT,
        },
        &mut seen,
    );
    sample(
        "LeadReturned",
        &events::LeadReturned {
            return_id: "return_01h455vb4pex5vsknk084sn02q".into(),
            assignment_id: "asg_01h455vb4pex5vsknk084sn02q".into(),
            lead_id: LEAD.into(),
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            campaign_id: "camp_01h455vb4pex5vsknk084sn02q".into(),
            campaign_name: "Solar, Austin".into(),
            price: money("25.00"),
            reason: "wrong_number".into(),
            decided_at_ms: AT,
        },
        &mut seen,
    );
    sample(
        "PaymentChanged",
        &events::PaymentChanged {
            payment_id: "pay_01h455vb4pex5vsknk084sn02q".into(),
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            news: events::PaymentNews::Declined.into(),
            recharge: true,
            amount: money("100.00"),
            decline_code: "insufficient_funds".into(),
            decline_message: "The card has not enough money.".into(),
            next_attempt_at_ms: AT,
        },
        &mut seen,
    );
    sample(
        "RechargeTurnedOff",
        &events::RechargeTurnedOff { buyer_id: BUYER.into(), seller_id: SELLER.into(), because: "no card".into() },
        &mut seen,
    );
    sample(
        "PaymentRefunded",
        &events::PaymentRefunded {
            payment_id: "pay_01h455vb4pex5vsknk084sn02q".into(),
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            amount: money("40.00"),
        },
        &mut seen,
    );
    sample(
        "DisputeChanged",
        &events::DisputeChanged {
            dispute_id: "dp_1".into(),
            payment_id: "pay_01h455vb4pex5vsknk084sn02q".into(),
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            amount: money("100.00"),
            closed: true,
            won: true,
        },
        &mut seen,
    );
    sample(
        "UsageRecorded",
        &events::UsageRecorded {
            message_id: "dlv_01h455vb4pex5vsknk084sn02q/1".into(),
            seller_id: SELLER.into(),
            buyer_id: BUYER.into(),
            kind: events::UsageKind::Webhook.into(),
            units: 1,
            at_ms: AT,
        },
        &mut seen,
    );
    sample(
        "BuyerContact",
        &events::BuyerContact {
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            version: 3,
            name: "Sam Buyer".into(),
            email: "sam@example.com".into(),
            email_verified: true,
            phone: "+15551234567".into(),
        },
        &mut seen,
    );
    sample(
        "LeadRefused",
        &events::LeadRefused {
            delivery_id: "dlv_01h455vb4pex5vsknk084sn02q".into(),
            assignment_id: ASSIGNMENT.into(),
            lead_id: LEAD.into(),
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            refusal: events::LeadRefusal::Duplicate.into(),
            because: "already a customer".into(),
            at_ms: AT,
        },
        &mut seen,
    );
    sample(
        "MessageEnded",
        &events::MessageEnded {
            message_id: "msg_01h455vb4pex5vsknk084sn02q".into(),
            seller_id: SELLER.into(),
            buyer_id: BUYER.into(),
            channel: "EMAIL".into(),
            kind: "LEAD_ASSIGNED".into(),
            status: "BOUNCED".into(),
            error: "the address does not exist".into(),
            lead_id: LEAD.into(),
            at_ms: AT,
        },
        &mut seen,
    );
    sample(
        "ReturnDecided",
        &events::ReturnDecided {
            return_id: "return_01h455vb4pex5vsknk084sn02q".into(),
            assignment_id: ASSIGNMENT.into(),
            lead_id: LEAD.into(),
            buyer_id: BUYER.into(),
            seller_id: SELLER.into(),
            campaign_name: "Medicare California".into(),
            approved: true,
            reason: "wrong_number".into(),
            note: "as agreed".into(),
            price: money("25.00"),
            decided_at_ms: AT,
        },
        &mut seen,
    );
    let pool = DescriptorPool::decode(leadflow_contracts::DESCRIPTOR_SET).unwrap();
    // Parts of events, and answers over core NATS that are never stored.
    let parts = ["Assignment", "ApiKey", "Decisions", "PostsTaken", "MailContents", "MaskedLead", "MaskedSale"];
    for message in pool.all_messages().filter(|m| m.package_name() == "leadflow.events.v1" && !m.is_map_entry()) {
        assert!(
            seen.contains(message.full_name()) || parts.contains(&message.name()),
            "{} has no golden sample",
            message.full_name()
        );
    }
}

#[test]
fn no_field_or_method_is_taken_away_or_renumbered() {
    let pool = DescriptorPool::decode(leadflow_contracts::DESCRIPTOR_SET).unwrap();
    let mut now = BTreeSet::new();
    for message in pool.all_messages().filter(|m| m.package_name().starts_with("leadflow.")) {
        for field in message.fields() {
            now.insert(format!(
                "{}.{} = {} {:?} {:?}",
                message.full_name(),
                field.name(),
                field.number(),
                field.cardinality(),
                field.kind()
            ));
        }
    }
    for kind in pool.all_enums().filter(|e| e.package_name().starts_with("leadflow.")) {
        for value in kind.values() {
            now.insert(format!("{} = {}", value.full_name(), value.number()));
        }
    }
    for service in pool.services() {
        for method in service.methods() {
            now.insert(format!(
                "rpc {} ({}) -> {}",
                method.full_name(),
                method.input().full_name(),
                method.output().full_name()
            ));
        }
    }
    let path = folder().join("contracts.txt");
    if updating() {
        fs::write(&path, now.iter().cloned().collect::<Vec<_>>().join("\n") + "\n").unwrap();
    }
    let listed = fs::read_to_string(&path).expect("no listing; see the top of this file");
    let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    let gone: Vec<_> = listed.difference(&now).collect();
    assert!(gone.is_empty(), "published contracts changed: {gone:#?}");
    let unlisted: Vec<_> = now.difference(&listed).collect();
    assert!(unlisted.is_empty(), "new contracts are not listed yet: {unlisted:#?}");
}
