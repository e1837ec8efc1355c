//! Mails to people: what they say. The link is the only thing in them that is made by machines, and the name the only
//! thing that somebody chose.

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// To choose a new password.
    ResetPassword,
    /// To show that an address is one's own.
    VerifyEmail,
    /// To become one of a seller's team.
    TeamInvitation,
    /// To become a supplier's user.
    SupplierInvitation,
}

impl MailKind {
    const ALL: [Self; 4] = [Self::ResetPassword, Self::VerifyEmail, Self::TeamInvitation, Self::SupplierInvitation];

    /// As stored in columns.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ResetPassword => "RESET_PASSWORD",
            Self::VerifyEmail => "VERIFY_EMAIL",
            Self::TeamInvitation => "TEAM_INVITATION",
            Self::SupplierInvitation => "SUPPLIER_INVITATION",
        }
    }

    /// From a column.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The front end's page that the link leads to.
    #[must_use]
    pub const fn page(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset-password",
            Self::VerifyEmail => "verify-email",
            Self::TeamInvitation | Self::SupplierInvitation => "accept-invitation",
        }
    }

    const fn words(self) -> Words {
        match self {
            Self::ResetPassword => Words {
                subject: "Choose a new password",
                why: "Somebody asked for a new password for your LeadFlow account. To choose one, open this page within an hour:",
                button: "Choose a new password",
                else_: "If that was not you, do nothing: your password stays as it is.",
            },
            Self::VerifyEmail => Words {
                subject: "Confirm your e-mail address",
                why: "To confirm that this is your e-mail address, open this page within three days:",
                button: "Confirm my address",
                else_: "If you have no LeadFlow account, do nothing.",
            },
            Self::TeamInvitation => Words {
                subject: "You are invited to a team on LeadFlow",
                why: "A seller on LeadFlow invites you to its team. To accept, open this page within seven days and choose a password:",
                button: "Accept the invitation",
                else_: "If you do not know who that is, do nothing.",
            },
            Self::SupplierInvitation => Words {
                subject: "You are invited to see your leads on LeadFlow",
                why: "A seller whom you supply with leads on LeadFlow invites you to see what becomes of them. To accept, open this page within seven days and choose a password:",
                button: "Accept the invitation",
                else_: "If you do not know who that is, do nothing.",
            },
        }
    }
}

struct Words {
    subject: &'static str,
    why: &'static str,
    button: &'static str,
    else_: &'static str,
}

/// A mail, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The subject line.
    pub subject: &'static str,
    /// For who reads text.
    pub text: String,
    /// For who reads HTML.
    pub html: String,
}

/// Writes a mail to `name` with `link`. `company` is who invites; empty in other mails.
#[must_use]
pub fn compose(kind: MailKind, name: &str, company: &str, link: &str) -> Letter {
    let Words { subject, why, button, else_ } = kind.words();
    let hello = if is_plain(name) { format!("Hello {},", name.trim()) } else { "Hello,".to_owned() };
    let invites = if is_plain(company) { format!("Invited by: {}\n\n", company.trim()) } else { String::new() };
    let else_ = format!("{invites}{else_}");
    let text = format!("{hello}\n\n{why}\n\n{link}\n\n{else_}\n\nLeadFlow\n");
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{subject}</title></head><body style=\"font-family:sans-serif;line-height:1.5;max-width:32em;margin:2em auto;padding:0 1em\">\
         <p>{hello}</p><p>{why}</p>\
         <p><a href=\"{link}\" style=\"background:#1a56db;color:#fff;padding:.6em 1.2em;border-radius:.3em;text-decoration:none;display:inline-block\">{button}</a></p>\
         <p style=\"font-size:.85em;overflow-wrap:anywhere\">{link}</p><p>{else_html}</p><p>LeadFlow</p></body></html>\n",
        hello = escape(&hello),
        link = escape(link),
        else_html = escape(&else_).replace("\n\n", "</p><p>"),
    );
    Letter { subject, text, html }
}

/// Whether a name is only a name. Anybody may register with anybody's address, and mail programs make links of whatever
/// looks like one: our mails carry no other message than ours.
fn is_plain(name: &str) -> bool {
    let name = name.trim();
    let dotted = name.split_whitespace().any(|word| word.trim_end_matches('.').contains('.'));
    (1..=80).contains(&name.chars().count())
        && !dotted
        && !name.chars().any(|c| c.is_control() || "/@:<>&\"\\".contains(c))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_have_the_link_and_the_name() {
        for kind in MailKind::ALL {
            let letter = compose(kind, "Sam O'Neil Jr.", "", "https://app.example.com/x?token=abc&a=b");
            assert!(letter.text.contains("\nhttps://app.example.com/x?token=abc&a=b\n"), "{}", letter.text);
            assert!(letter.text.starts_with("Hello Sam O'Neil Jr.,"), "{}", letter.text);
            assert!(letter.html.contains("href=\"https://app.example.com/x?token=abc&amp;a=b\""), "{}", letter.html);
            assert!(letter.html.contains("Sam O&#39;Neil Jr."), "{}", letter.html);
            assert_eq!(MailKind::of(kind.code()), Some(kind));
        }
    }

    #[test]
    fn a_name_that_carries_a_message_is_left_out() {
        for name in
            ["You won: https://evil.example", "evil.example", "a@b", "<b>x</b>", "", " ", "a\r\nb", &"x".repeat(81)]
        {
            let letter = compose(MailKind::VerifyEmail, name, "", "https://app.example.com");
            assert!(letter.text.starts_with("Hello,\n"), "{name}: {}", letter.text);
            let letter = compose(MailKind::TeamInvitation, "", name, "https://app.example.com");
            assert!(!letter.text.contains("Invited by"), "{name}: {}", letter.text);
        }
    }

    #[test]
    fn an_invitation_says_who_invites() {
        let letter = compose(MailKind::TeamInvitation, "", "Acme & Sons", "https://app.example.com");
        assert!(!letter.text.contains("Invited by"), "no signs of HTML in names");
        let letter = compose(MailKind::SupplierInvitation, "", "O'Neil Ltd", "https://app.example.com");
        assert!(letter.text.contains("\n\nInvited by: O'Neil Ltd\n\nIf you"), "{}", letter.text);
        assert!(letter.html.contains("<p>Invited by: O&#39;Neil Ltd</p><p>If you"), "{}", letter.html);
    }
}
