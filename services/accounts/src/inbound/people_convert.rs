//! Between the messages of `People` and the domain's values.

use leadflow_accounts_domain::{
    AllowanceKind, Attempt, Email, Invitation, Invite, InviteText, Invited, Member, Name, NewBuyer, NewSeller,
    Password, Phone, Priority, Role, Session, TeamRefusal, TimeZone, TokenRefusal, User, Wish,
};
use leadflow_contracts::{accounts as proto, id, time_to_ms};
use leadflow_kernel::{Id, Kind};
use leadflow_platform::grpc::status;
use tonic::{Code, Status, metadata::MetadataValue};

use super::convert::{self, database, internal, invalid, unreadable};
use crate::{
    app::people::{
        AcceptInvitation, AddBuyer, Admission, PeopleError, RegisterBuyer, RegisterSeller, Registered, SignIn,
    },
    outbound::google::GoogleError,
};

/// How long a throttled caller is to wait.
const RETRY_AFTER: &str = "retry-after-seconds";
/// The most that is kept of an address: an IPv6 address with its zone is shorter.
const ADDRESS: usize = 64;

/// The answer to what was not done. What is our own fault is logged here, once.
pub(super) fn refused(error: &PeopleError) -> Status {
    match error {
        PeopleError::Invalid(error) => invalid(error),
        PeopleError::NotFound(what) => status(Code::NotFound, &format!("{what}_not_found"), error),
        PeopleError::AlreadyExists(what) => status(Code::AlreadyExists, &format!("{what}_exists"), error),
        PeopleError::EmailInUse => status(Code::AlreadyExists, "email_exists", error),
        PeopleError::Team(refusal) => match refusal {
            TeamRefusal::NotOwner => status(Code::PermissionDenied, "forbidden", error),
            TeamRefusal::NoSuchMember => status(Code::NotFound, "user_not_found", error),
            TeamRefusal::LastOwner => status(Code::FailedPrecondition, "last_owner", error),
        },
        PeopleError::TooManyInvitations { .. } => status(Code::FailedPrecondition, "too_many_invitations", error),
        PeopleError::NotInUse(what) => status(Code::FailedPrecondition, &format!("{what}_inactive"), error),
        PeopleError::InviteUnknown => status(Code::NotFound, "invite_not_found", error),
        PeopleError::TokenUnknown => status(Code::NotFound, "token_not_found", error),
        PeopleError::WrongCredentials => status(Code::Unauthenticated, "wrong_credentials", error),
        PeopleError::WrongPassword => status(Code::Unauthenticated, "wrong_password", error),
        PeopleError::Suspended => status(Code::FailedPrecondition, "account_suspended", error),
        PeopleError::Throttled { seconds } => later(status(Code::ResourceExhausted, "throttled", error), *seconds),
        PeopleError::Busy => later(status(Code::ResourceExhausted, "busy", error), 1),
        PeopleError::NoGoogle => status(Code::NotFound, "google_not_configured", error),
        PeopleError::StateUnknown => status(Code::Unauthenticated, "google_state_unknown", error),
        PeopleError::GoogleDenied => status(Code::PermissionDenied, "google_denied", error),
        PeopleError::GoogleFailed => status(Code::Unauthenticated, "google_refused", error),
        PeopleError::GoogleUnknown => status(Code::NotFound, "google_account_unknown", error),
        PeopleError::GoogleUnlinked => status(Code::AlreadyExists, "google_account_unlinked", error),
        PeopleError::Google(error) => google(error),
        PeopleError::Database(cause) => database(cause),
        PeopleError::Internal(_) => internal(error),
    }
}

/// What the caller is told says nothing of what is in tokens; what may be an attack or our own settings is logged.
fn google(error: &GoogleError) -> Status {
    match error {
        GoogleError::Away(_) => {
            tracing::warn!(%error, "signing in by Google failed");
            status(Code::Unavailable, "google_unavailable", "Google cannot be asked at the moment; try again")
        }
        GoogleError::Code(_) => {
            status(Code::Unauthenticated, "google_refused", "Google could not sign you in; try again")
        }
        GoogleError::Claims(TokenRefusal::EmailUnverified) => {
            let sentence = "Google has not verified the e-mail address of this account";
            status(Code::PermissionDenied, "google_email_unverified", sentence)
        }
        GoogleError::Token(_) | GoogleError::Claims(_) => {
            tracing::warn!(%error, "signing in by Google failed");
            status(Code::Unauthenticated, "google_token_invalid", "what Google said cannot be trusted; try again")
        }
    }
}

fn later(mut status: Status, seconds: u32) -> Status {
    status.metadata_mut().insert(RETRY_AFTER, MetadataValue::from(seconds));
    status
}

pub(super) fn read<K: Kind>(text: &str, field: &'static str) -> Result<Id<K>, Status> {
    id(text, field).map_err(|e| unreadable(&e))
}

/// An id that may be left out.
pub(super) fn optional<K: Kind>(text: &str, field: &'static str) -> Result<Option<Id<K>>, Status> {
    if text.is_empty() { Ok(None) } else { read(text, field).map(Some) }
}

/// Ids of which there may be many, but not more than `most`.
pub(super) fn several<K: Kind>(texts: &[String], field: &'static str, most: usize) -> Result<Vec<Id<K>>, Status> {
    if texts.len() > most {
        return Err(status(
            Code::InvalidArgument,
            "invalid_field",
            format_args!("{field} must have at most {most} entries"),
        ));
    }
    texts.iter().map(|text| read(text, field)).collect()
}

/// Where a request came from, as far as it is kept.
pub(super) fn address(text: &str) -> String {
    if text.is_empty() {
        "unknown".to_owned()
    } else {
        text.chars().filter(|c| !c.is_control()).take(ADDRESS).collect()
    }
}

pub(super) fn email(text: &str) -> Result<Email, Status> {
    Email::parse("email", text).map_err(|e| invalid(&e))
}

pub(super) fn name(text: &str) -> Result<Name, Status> {
    Name::parse("name", text).map_err(|e| invalid(&e))
}

pub(super) fn phone(text: &str) -> Result<Option<Phone>, Status> {
    Phone::parse("phone", text).map_err(|e| invalid(&e))
}

pub(super) fn register_seller(request: proto::RegisterSellerRequest) -> Result<RegisterSeller, Status> {
    let seller_id = read(&request.seller_id, "seller_id")?;
    Ok(RegisterSeller {
        user_id: read(&request.user_id, "user_id")?,
        email: email(&request.email)?,
        password: Password::shown(request.password),
        name: name(&request.name)?,
        seller: NewSeller::parse(seller_id, &request.company_name, &request.time_zone, "", "", 0)
            .map_err(|e| invalid(&e))?,
    })
}

pub(super) fn register_buyer(request: proto::RegisterBuyerRequest) -> Result<RegisterBuyer, Status> {
    Ok(RegisterBuyer {
        user_id: read(&request.user_id, "user_id")?,
        email: email(&request.email)?,
        password: Password::shown(request.password),
        name: name(&request.name)?,
        phone: phone(&request.phone)?,
        buyer: NewBuyer {
            id: read(&request.buyer_id, "buyer_id")?,
            company_name: Name::parse("company_name", &request.company_name).map_err(|e| invalid(&e))?,
            priority: Priority::DEFAULT,
            weekly_limit: None,
            monthly_limit: None,
        },
        invite_code: request.invite_code,
    })
}

pub(super) fn add_buyer(request: proto::AddBuyerRequest) -> Result<AddBuyer, Status> {
    Ok(AddBuyer {
        user_id: read(&request.user_id, "user_id")?,
        email: email(&request.email)?,
        password: (!request.password.is_empty()).then(|| Password::shown(request.password)),
        name: name(&request.name)?,
        phone: phone(&request.phone)?,
        buyer: NewBuyer {
            id: read(&request.buyer_id, "buyer_id")?,
            company_name: Name::parse("company_name", &request.company_name).map_err(|e| invalid(&e))?,
            priority: convert::priority(request.priority)?,
            weekly_limit: convert::limit("weekly_spending_limit", request.weekly_spending_limit.as_ref())?,
            monthly_limit: convert::limit("monthly_spending_limit", request.monthly_spending_limit.as_ref())?,
        },
    })
}

pub(super) fn attempt(request: &proto::BeginGoogleRequest) -> Result<Attempt, Status> {
    let company = || Name::parse("company_name", &request.company_name).map_err(|e| invalid(&e));
    let wish = match request.role() {
        proto::Role::Unspecified => Wish::SignIn,
        proto::Role::Seller => Wish::Sell {
            company_name: company()?,
            time_zone: TimeZone::parse("time_zone", &request.time_zone).map_err(|e| invalid(&e))?,
        },
        proto::Role::Buyer => Wish::Buy {
            company_name: if request.company_name.trim().is_empty() { None } else { Some(company()?) },
            invite: InviteText::parse(&request.invite_code).ok_or_else(|| refused(&PeopleError::InviteUnknown))?,
        },
        proto::Role::Supplier | proto::Role::Admin => {
            return Err(status(Code::InvalidArgument, "invalid_field", "role must be ROLE_SELLER or ROLE_BUYER"));
        }
    };
    let (redirect_uri, return_to) = (request.redirect_uri.clone(), request.return_to.clone());
    Ok(Attempt { redirect_uri, return_to, wish })
}

pub(super) fn signed_in(sign_in: &SignIn) -> proto::Session {
    proto::Session {
        token: sign_in.token.reveal().to_owned(),
        user: Some(user(&sign_in.user)),
        ..session(&sign_in.session)
    }
}

pub(super) fn allowance(number: i32) -> Result<AllowanceKind, Status> {
    match proto::Allowance::try_from(number) {
        Ok(proto::Allowance::Read) => Ok(AllowanceKind::Read),
        Ok(proto::Allowance::Write) => Ok(AllowanceKind::Write),
        Ok(proto::Allowance::SignIn) => Ok(AllowanceKind::SignIn),
        Ok(proto::Allowance::ProviderEvent) => Ok(AllowanceKind::ProviderEvent),
        Ok(proto::Allowance::Unspecified) | Err(_) => Err(status(
            Code::InvalidArgument,
            "invalid_field",
            "allowance must be ALLOWANCE_READ, ALLOWANCE_WRITE, ALLOWANCE_SIGN_IN or ALLOWANCE_PROVIDER_EVENT",
        )),
    }
}

pub(super) fn registered(registered: &Registered) -> proto::RegisterResponse {
    proto::RegisterResponse {
        user: Some(user(&registered.user)),
        invite_code: registered.invite_code.clone().unwrap_or_default(),
    }
}

pub(super) fn user(user: &User) -> proto::User {
    let text = |id: Option<String>| id.unwrap_or_default();
    proto::User {
        user_id: user.id.to_string(),
        email: user.email.as_str().to_owned(),
        name: user.name.as_str().to_owned(),
        phone: user.phone.as_ref().map_or_else(String::new, |phone| phone.as_str().to_owned()),
        role: match user.place.role() {
            Role::Seller => proto::Role::Seller,
            Role::Buyer => proto::Role::Buyer,
            Role::Supplier => proto::Role::Supplier,
            Role::Admin => proto::Role::Admin,
        }
        .into(),
        member: member_to_proto(user.place.member()).into(),
        seller_id: text(user.place.seller_id().map(|id| id.to_string())),
        buyer_id: text(user.place.buyer_id().map(|id| id.to_string())),
        supplier_id: text(user.place.supplier_id().map(|id| id.to_string())),
        email_verified: user.email_verified,
        created_at_ms: time_to_ms(user.created_at),
        company_name: user.company_name.clone(),
    }
}

pub(super) fn session(session: &Session) -> proto::Session {
    proto::Session {
        session_id: session.id.to_string(),
        token: String::new(),
        created_at_ms: time_to_ms(session.created_at),
        last_used_at_ms: time_to_ms(session.last_used_at),
        expires_at_ms: time_to_ms(session.expires_at),
        address: session.address.clone(),
        user_agent: session.user_agent.clone(),
        user: None,
    }
}

pub(super) fn admission(admission: &Admission) -> proto::Admission {
    let state = admission.allowance;
    proto::Admission {
        session: admission.session.as_ref().map(|(s, u)| proto::Session { user: Some(user(u)), ..session(s) }),
        allowed: state.allowed,
        limit: state.limit,
        remaining: state.remaining,
        reset_seconds: state.reset_seconds,
    }
}

pub(super) fn invite_code(invite: &Invite) -> proto::InviteCode {
    proto::InviteCode {
        code: invite.text.as_str().to_owned(),
        created_at_ms: time_to_ms(invite.created_at),
        expires_at_ms: invite.expires_at.map_or(0, time_to_ms),
    }
}

pub(super) fn member(number: i32) -> Result<Member, Status> {
    match proto::Member::try_from(number) {
        Ok(proto::Member::Owner) => Ok(Member::Owner),
        Ok(proto::Member::Manager) => Ok(Member::Manager),
        Ok(proto::Member::Viewer) => Ok(Member::Viewer),
        Ok(proto::Member::Unspecified) | Err(_) => Err(status(
            Code::InvalidArgument,
            "invalid_field",
            "member must be MEMBER_OWNER, MEMBER_MANAGER or MEMBER_VIEWER",
        )),
    }
}

const fn member_to_proto(member: Member) -> proto::Member {
    match member {
        Member::Owner => proto::Member::Owner,
        Member::Manager => proto::Member::Manager,
        Member::Viewer => proto::Member::Viewer,
    }
}

/// What somebody is invited to become: a supplier's user if one is named, else one of the team.
pub(super) fn invited(number: i32, supplier_id: &str) -> Result<Invited, Status> {
    match optional(supplier_id, "supplier_id")? {
        Some(supplier) => Ok(Invited::Supplier(supplier)),
        None => member(number).map(Invited::Team),
    }
}

pub(super) fn accept_invitation(request: proto::AcceptInvitationRequest) -> Result<AcceptInvitation, Status> {
    Ok(AcceptInvitation {
        user_id: read(&request.user_id, "user_id")?,
        token: request.token,
        password: Password::shown(request.password),
        name: name(&request.name)?,
        phone: phone(&request.phone)?,
    })
}

pub(super) fn invitation(invitation: &Invitation) -> proto::Invitation {
    proto::Invitation {
        invitation_id: invitation.id.to_string(),
        email: invitation.email.as_str().to_owned(),
        member: member_to_proto(invitation.invited.place(invitation.seller_id).member()).into(),
        supplier_id: invitation.invited.supplier_id().map_or_else(String::new, |id| id.to_string()),
        invited_by_user_id: invitation.invited_by.map_or_else(String::new, |id| id.to_string()),
        created_at_ms: time_to_ms(invitation.created_at),
        expires_at_ms: time_to_ms(invitation.expires_at),
    }
}
