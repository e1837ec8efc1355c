//! Between the contract's messages about preferences and messages, and our values.

use leadflow_contracts::{notifier as proto, time_to_ms};
use leadflow_kernel::BuyerId;
use leadflow_notifier_domain::PreferencesChange;

use crate::app::{MessageView, PreferencesView};

pub(super) fn preferences(buyer: BuyerId, view: PreferencesView) -> proto::Preferences {
    let PreferencesView { preferences, unreachable } = view;
    proto::Preferences {
        buyer_id: buyer.to_string(),
        email_on_lead: preferences.email_on_lead,
        sms_on_lead: preferences.sms_on_lead,
        email_on_low_balance: preferences.email_on_low_balance,
        sms_on_low_balance: preferences.sms_on_low_balance,
        daily_summary: preferences.daily_summary,
        email_on_return: preferences.email_on_return,
        quiet_from: preferences.quiet.from,
        quiet_until: preferences.quiet.until,
        time_zone: preferences.time_zone.map_or_else(String::new, |zone| zone.name().to_owned()),
        version: preferences.version,
        sms_stopped: unreachable.sms_stopped,
        email_dead_because: unreachable.email_dead_because,
        sms_dead_because: unreachable.sms_dead_because,
    }
}

pub(super) fn change(request: proto::PutPreferencesRequest) -> PreferencesChange {
    PreferencesChange {
        email_on_lead: request.email_on_lead,
        sms_on_lead: request.sms_on_lead,
        email_on_low_balance: request.email_on_low_balance,
        sms_on_low_balance: request.sms_on_low_balance,
        email_on_return: request.email_on_return,
        daily_summary: request.daily_summary,
        quiet_from: request.quiet_from,
        quiet_until: request.quiet_until,
        time_zone: request.time_zone,
    }
}

pub(super) fn message(view: MessageView) -> proto::SentMessage {
    let MessageView { message, attempts } = view;
    let number = |number: i32| u32::try_from(number).unwrap_or(0);
    proto::SentMessage {
        message_id: message.id.to_string(),
        channel: message.channel,
        kind: message.kind,
        recipient: message.recipient,
        status: message.status,
        error: message.error,
        attempts_made: number(message.attempts_made),
        next_attempt_at_ms: message.due_at.map_or(0, time_to_ms),
        lead_id: message.lead.map_or_else(String::new, |lead| lead.to_string()),
        created_at_ms: time_to_ms(message.created_at),
        ended_at_ms: message.ended_at.map_or(0, time_to_ms),
        attempts: attempts
            .into_iter()
            .map(|attempt| proto::Attempt {
                number: number(attempt.number),
                started_at_ms: time_to_ms(attempt.started_at),
                duration_ms: number(attempt.duration_ms),
                status_code: number(attempt.status_code),
                error: attempt.error,
                response: String::new(),
                ..proto::Attempt::default()
            })
            .collect(),
    }
}
