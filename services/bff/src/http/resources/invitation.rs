//! Invitations as they look in JSON. The link is in the e-mail alone.

use leadflow_contracts::accounts::Invitation;
use serde::Serialize;
use utoipa::ToSchema;

use super::user::Member;
use crate::http::values::Time;

/// Somebody who is invited and has not accepted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Invitation)]
pub(super) struct InvitationView {
    id: String,
    email: String,
    /// In the team; absent for a supplier's.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Member>,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    supplier_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    invited_by: String,
    created_at: Option<Time>,
    expires_at: Option<Time>,
}

impl InvitationView {
    pub(super) fn of(invitation: Invitation) -> Self {
        Self {
            role: invitation.supplier_id.is_empty().then(|| Member::of(invitation.member())),
            id: invitation.invitation_id,
            email: invitation.email,
            supplier_id: invitation.supplier_id,
            invited_by: invitation.invited_by_user_id,
            created_at: Time::from_ms(invitation.created_at_ms),
            expires_at: Time::from_ms(invitation.expires_at_ms),
        }
    }
}

/// `{message, invitation}`.
#[derive(Serialize, ToSchema)]
pub(super) struct InvitationAnswer {
    message: &'static str,
    invitation: InvitationView,
}

impl InvitationAnswer {
    pub(super) fn of(invitation: Invitation) -> Self {
        Self { message: "Invited; the link is on its way", invitation: InvitationView::of(invitation) }
    }
}
