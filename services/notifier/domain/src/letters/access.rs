//! Mails that let somebody in. The link is the only thing in them that is made by machines, and names the only thing that somebody chose.
//! Anybody may register with anybody's address, and mail programs make links of whatever looks like one: a name that could be a message
//! of its own is left out.

use serde_json::json;

use super::{Letter, LetterError, Letters, template};
use crate::messages::{MessageKind, plain_name};

struct Words {
    page: &'static str,
    subject: &'static str,
    why: &'static str,
    action: &'static str,
    otherwise: &'static str,
}

const fn words(kind: MessageKind) -> Option<Words> {
    Some(match kind {
        MessageKind::ResetPassword => Words {
            page: "reset-password",
            subject: "Choose a new password",
            why: "Somebody asked for a new password for your LeadFlow account. To choose one, open this page within an hour:",
            action: "Choose a new password",
            otherwise: "If that was not you, do nothing: your password stays as it is.",
        },
        MessageKind::VerifyEmail => Words {
            page: "verify-email",
            subject: "Confirm your e-mail address",
            why: "To confirm that this is your e-mail address, open this page within three days:",
            action: "Confirm my address",
            otherwise: "If you have no LeadFlow account, do nothing.",
        },
        MessageKind::TeamInvitation => Words {
            page: "accept-invitation",
            subject: "You are invited to a team on LeadFlow",
            why: "A seller on LeadFlow invites you to its team. To accept, open this page within seven days and choose a password:",
            action: "Accept the invitation",
            otherwise: "If you do not know who that is, do nothing.",
        },
        MessageKind::SupplierInvitation => Words {
            page: "accept-invitation",
            subject: "You are invited to see your leads on LeadFlow",
            why: "A seller whom you supply with leads on LeadFlow invites you to see what becomes of them. To accept, open this page within seven days and choose a password:",
            action: "Accept the invitation",
            otherwise: "If you do not know who that is, do nothing.",
        },
        _ => return None,
    })
}

impl MessageKind {
    /// The front end's page that the link of a mail that lets somebody in leads to.
    #[must_use]
    pub fn page(self) -> Option<&'static str> {
        words(self).map(|words| words.page)
    }
}

impl Letters {
    /// Writes a mail to `name` with `link`. `company` is who invites; empty in other mails. `None` when `kind` lets nobody in.
    ///
    /// # Errors
    /// When the template fails.
    pub fn access(
        &self,
        kind: MessageKind,
        name: &str,
        company: &str,
        link: &str,
    ) -> Option<Result<Letter, LetterError>> {
        let Words { subject, why, action, otherwise, .. } = words(kind)?;
        let company = plain_name(company).unwrap_or_default();
        let values = json!({ "why": why, "action": action, "otherwise": otherwise, "company": company, "link": link });
        // In the platform's name: whoever asked for it may be nobody's.
        Some(self.letter(template(kind), "", name, subject, values))
    }
}
