//! Charges, refunds, disputes and balance transactions as the API shows them.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    cards,
    core::Core,
    model::{Charge, Dispute, Movement, Refund},
    render::{billing_details, card_of, checks, fingerprint, last4, time},
};

/// Charges are paid out after this.
const AVAILABLE_AFTER: TimeDelta = TimeDelta::days(2);
/// A dispute has to be answered within this.
const EVIDENCE_TIME: TimeDelta = TimeDelta::days(9);

impl Core {
    pub(super) fn show_charge(&self, row: &Charge) -> Value {
        let decline = row.failure.as_deref().and_then(cards::decline_of);
        let method = self.methods.get(&row.payment_method);
        let card = method.map(card_of).unwrap_or(&cards::CARDS[0]);
        let outcome = match decline {
            None => json!({
                "advice_code": null, "network_advice_code": null, "network_decline_code": null,
                "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 20,
                "seller_message": "Payment complete.", "type": "authorized"
            }),
            Some(decline) => json!({
                "advice_code": null, "network_advice_code": null, "network_decline_code": null,
                "network_status": "declined_by_network", "reason": decline.decline_code, "risk_level": "normal",
                "risk_score": 20, "type": "issuer_declined",
                "seller_message": format!("The bank returned the decline code `{}`.", decline.decline_code)
            }),
        };
        let three_d_secure = row.authenticated.then(|| {
            json!({
                "authentication_flow": "challenge", "electronic_commerce_indicator": "05", "exemption_indicator": null,
                "result": "authenticated", "result_reason": null, "transaction_id": null, "version": "2.2.0"
            })
        });
        let paid_with = json!({
            "amount_authorized": row.amount, "authorization_code": null, "brand": card.brand, "checks": checks(),
            "country": "US", "exp_month": method.map_or(12, |method| method.exp_month),
            "exp_year": method.map_or(2_034, |method| method.exp_year),
            "extended_authorization": { "status": "disabled" }, "fingerprint": fingerprint(card.number),
            "funding": "credit", "incremental_authorization": { "status": "unavailable" }, "installments": null,
            "last4": last4(card.number), "mandate": null, "multicapture": { "status": "unavailable" },
            "network": card.brand, "network_token": { "used": false }, "network_transaction_id": null,
            "overcapture": { "maximum_amount_capturable": row.amount, "status": "unavailable" },
            "regulated_status": "unregulated", "three_d_secure": three_d_secure, "wallet": null
        });
        let charge = json!({
            "id": row.id, "object": "charge", "amount": row.amount,
            "amount_captured": if row.paid() { row.amount } else { 0 }, "amount_refunded": row.amount_refunded,
            "balance_transaction": row.movement,
            "billing_details": billing_details(
                method.and_then(|method| method.name.as_deref()), method.and_then(|method| method.email.as_deref())
            ),
            "calculated_statement_descriptor": "LEADFLOW SANDBOX", "captured": row.paid(), "created": time(row.created),
            "currency": row.currency, "customer": row.customer, "description": row.description,
            "disputed": row.dispute.is_some(),
            "failure_code": decline.map(|decline| decline.code), "failure_message": decline.map(|decline| decline.message),
            "fraud_details": {}, "livemode": false, "metadata": row.metadata,
            "outcome": outcome, "paid": row.paid(), "payment_intent": row.intent, "payment_method": row.payment_method,
            "payment_method_details": { "card": paid_with, "type": "card" },
            "radar_options": {}, "receipt_email": row.receipt_email,
            "refunded": row.paid() && row.amount_refunded == row.amount,
            "status": if row.paid() { "succeeded" } else { "failed" }
        });
        with_nulls(
            charge,
            &[
                "application",
                "application_fee",
                "application_fee_amount",
                "failure_balance_transaction",
                "on_behalf_of",
                "receipt_number",
                "receipt_url",
                "review",
                "shipping",
                "source",
                "source_transfer",
                "statement_descriptor",
                "statement_descriptor_suffix",
                "transfer_data",
                "transfer_group",
            ],
        )
    }

    pub(super) fn show_refund(&self, row: &Refund) -> Value {
        let mut refund = json!({
            "id": row.id, "object": "refund", "amount": row.amount, "balance_transaction": row.movement,
            "charge": row.charge, "created": time(row.created), "currency": row.currency,
            "destination_details": {
                "card": { "reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund" },
                "type": "card"
            },
            "metadata": row.metadata, "payment_intent": row.intent, "reason": row.reason, "receipt_number": null,
            "source_transfer_reversal": null, "status": row.status, "transfer_reversal": null
        });
        // These are there only for refunds that failed.
        if let Some(movement) = &row.failure_movement {
            refund["failure_balance_transaction"] = movement.clone().into();
        }
        if let Some(reason) = &row.failure_reason {
            refund["failure_reason"] = reason.clone().into();
        }
        if row.status == "pending" {
            refund["pending_reason"] = "processing".into();
        }
        refund
    }

    pub(super) fn show_dispute(&self, row: &Dispute) -> Value {
        let movements = row.movements.iter().filter_map(|id| self.movements.get(id));
        let movements: Vec<_> = movements.map(|movement| self.show_movement(movement)).collect();
        let brand = self
            .charges
            .get(&row.charge)
            .and_then(|charge| self.methods.get(&charge.payment_method))
            .map_or("visa", |method| card_of(method).brand);
        let open = row.status == "needs_response";
        json!({
            "id": row.id, "object": "dispute", "amount": row.amount,
            "balance_transaction": row.movements.first(), "balance_transactions": movements, "charge": row.charge,
            "created": time(row.created), "currency": row.currency, "enhanced_eligibility_types": [],
            "evidence": evidence(),
            "evidence_details": {
                "due_by": open.then(|| time(row.created + EVIDENCE_TIME)), "enhanced_eligibility": {},
                "has_evidence": false, "past_due": false, "submission_count": 0
            },
            "is_charge_refundable": false, "livemode": false, "metadata": {}, "network_reason_code": "10.4",
            "payment_intent": row.intent,
            "payment_method_details": {
                "card": { "brand": brand, "case_type": "chargeback", "network": brand, "network_reason_code": "10.4" },
                "type": "card"
            },
            "reason": row.reason, "status": row.status
        })
    }

    pub(super) fn show_movement(&self, row: &Movement) -> Value {
        let fees = if row.fee == 0 {
            json!([])
        } else {
            let what = if row.kind == "charge" { "Stripe processing fees" } else { "Dispute fee" };
            json!([{
                "amount": row.fee, "application": null, "currency": row.currency, "description": what, "type": "stripe_fee"
            }])
        };
        json!({
            "id": row.id, "object": "balance_transaction", "amount": row.amount,
            "available_on": time(row.created + AVAILABLE_AFTER), "balance_type": "payments", "created": time(row.created),
            "currency": row.currency, "description": row.description, "exchange_rate": null, "fee": row.fee,
            "fee_details": fees, "net": row.amount - row.fee, "reporting_category": row.category, "source": row.source,
            "status": "pending", "type": row.kind
        })
    }
}

/// Nobody submits any here.
fn evidence() -> Value {
    let names = [
        "access_activity_log",
        "billing_address",
        "cancellation_policy",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "customer_communication",
        "customer_email_address",
        "customer_name",
        "customer_purchase_ip",
        "customer_signature",
        "duplicate_charge_documentation",
        "duplicate_charge_explanation",
        "duplicate_charge_id",
        "product_description",
        "receipt",
        "refund_policy",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
        "service_date",
        "service_documentation",
        "shipping_address",
        "shipping_carrier",
        "shipping_date",
        "shipping_documentation",
        "shipping_tracking_number",
        "uncategorized_file",
        "uncategorized_text",
    ];
    let mut evidence: Value = names.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    evidence["enhanced_evidence"] = json!({});
    evidence
}

/// These are there, and empty.
fn with_nulls(mut object: Value, names: &[&str]) -> Value {
    for name in names {
        object[*name] = Value::Null;
    }
    object
}
