//! What stands in for the world outside on a machine of one's own: the sandbox, wherever the caller has no account of his own.

use super::{environment::Variables, layout::Layout, settings::LocalSettings};
use crate::role::{Ports, Role};

/// An address of nobody.
const SENDER: &str = "noreply@leadflow.example";

/// The settings that lead there. `secrets` are those that `up` made up.
pub fn settings(layout: &Layout, settings: &LocalSettings, own: &Variables, secrets: &Variables) -> Variables {
    let ports = |wanted| settings.roles.iter().find(|(role, _)| *role == wanted).map(|(_, ports)| *ports);
    let (Some(sandbox), Some(bff)) = (ports(Role::Sandbox), ports(Role::Bff)) else { return Variables::new() };
    let places = Places {
        sandbox: format!("http://127.0.0.1:{}", sandbox.http),
        api: own.get("BFF_PUBLIC_URL").cloned().unwrap_or_else(|| api_address(bff)),
        secret: |name: &str| own.get(name).or(secrets.get(name)).cloned().unwrap_or_default(),
    };
    let mut all = vec![("FRONTEND_URL", format!("{}/app", places.sandbox))];
    all.extend(mail(own, &places, sandbox));
    all.extend(text_messages(own, &places));
    all.extend(google(own, &places));
    all.extend(stripe(own, &places, bff, layout));
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Where browsers on this machine find the API.
pub fn api_address(bff: Ports) -> String {
    format!("http://localhost:{}", bff.http)
}

struct Places<S: Fn(&str) -> String> {
    sandbox: String,
    /// Where the API is called back, as it knows itself: calls are signed over it.
    api: String,
    secret: S,
}

type Set = Vec<(&'static str, String)>;

/// Mails stay on this machine unless there is somebody to take them: by SMTP, or as SendGrid takes them if that is asked for.
fn mail(own: &Variables, places: &Places<impl Fn(&str) -> String>, sandbox: Ports) -> Set {
    if own.contains_key("SMTP_HOST") || own.contains_key("SENDGRID_API_KEY") {
        return Set::new();
    }
    if own.get("EMAIL_PROVIDER").is_some_and(|provider| provider == "sendgrid") {
        let key = (places.secret)("SANDBOX_SENDGRID_WEBHOOK_KEY");
        return vec![
            ("SENDGRID_API_BASE", leadflow_sandbox::sendgrid_api(&places.sandbox)),
            ("SENDGRID_API_KEY", "SG.sandbox".to_owned()),
            ("SENDGRID_FROM_EMAIL", SENDER.to_owned()),
            ("SANDBOX_SENDGRID_WEBHOOK_URL", format!("{}/api/webhooks/sendgrid", places.api)),
            ("SENDGRID_WEBHOOK_PUBLIC_KEY", leadflow_sandbox::sendgrid_public_key(&key).unwrap_or_default()),
        ];
    }
    let Some(port) = sandbox.smtp else { return Set::new() };
    vec![
        ("SMTP_HOST", "127.0.0.1".to_owned()),
        ("SMTP_PORT", port.to_string()),
        ("SMTP_TLS", "none".to_owned()),
        ("SMTP_FROM", format!("LeadFlow <{SENDER}>")),
    ]
}

/// Likewise text messages.
fn text_messages(own: &Variables, places: &Places<impl Fn(&str) -> String>) -> Set {
    if own.contains_key("TWILIO_ACCOUNT_SID") {
        return Set::new();
    }
    let twilio = leadflow_sandbox::Config::default();
    let token = (places.secret)("SANDBOX_TWILIO_AUTH_TOKEN");
    let numbers = own.get("SANDBOX_TWILIO_NUMBERS").cloned().unwrap_or_else(|| twilio.twilio_numbers.join(","));
    vec![
        ("TWILIO_API_BASE", leadflow_sandbox::twilio_api(&places.sandbox)),
        ("TWILIO_ACCOUNT_SID", own.get("SANDBOX_TWILIO_ACCOUNT_SID").cloned().unwrap_or(twilio.twilio_account_sid)),
        ("TWILIO_AUTH_TOKEN", token),
        ("TWILIO_FROM", numbers.split(',').next().unwrap_or_default().trim().to_owned()),
        ("SANDBOX_TWILIO_INBOUND_URL", format!("{}/api/webhooks/twilio/inbound", places.api)),
    ]
}

/// Whoever is known to the real Google says all of it himself.
fn google(own: &Variables, places: &Places<impl Fn(&str) -> String>) -> Set {
    if own.contains_key("GOOGLE_CLIENT_ID") {
        return Set::new();
    }
    let sandbox = leadflow_sandbox::Config::default();
    vec![
        ("GOOGLE_ISSUER", leadflow_sandbox::google_issuer(&places.sandbox)),
        ("GOOGLE_CLIENT_ID", sandbox.client_id),
        ("GOOGLE_CLIENT_SECRET", sandbox.client_secret),
        ("GOOGLE_ALLOW_LOOPBACK", "true".to_owned()),
    ]
}

/// Likewise whoever has an account at Stripe.
fn stripe(own: &Variables, places: &Places<impl Fn(&str) -> String>, bff: Ports, layout: &Layout) -> Set {
    if own.contains_key("STRIPE_SECRET_KEY") {
        return Set::new();
    }
    vec![
        ("STRIPE_API_BASE", leadflow_sandbox::stripe_api(&places.sandbox)),
        ("STRIPE_SECRET_KEY", "sk_test_sandbox".to_owned()),
        ("STRIPE_PUBLISHABLE_KEY", "pk_test_sandbox".to_owned()),
        ("STRIPE_WEBHOOK_SECRET", (places.secret)("SANDBOX_STRIPE_WEBHOOK_SECRETS")),
        ("SANDBOX_STRIPE_WEBHOOK_URL", format!("http://127.0.0.1:{}/api/webhooks/stripe", bff.http)),
        // Billing remembers its customers and charges, so Stripe has to.
        ("SANDBOX_STRIPE_FILE", layout.stripe().display().to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use leadflow_testkit::TempDir;

    use super::*;
    use crate::local::environment::{compose, env_of};

    fn made(own: &[(&str, &str)]) -> (Variables, TempDir) {
        let folder = TempDir::new("environment").unwrap();
        let layout = Layout::at(folder.path().to_owned());
        layout.create().unwrap();
        let own: Variables = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = LocalSettings::read(&mut env_of(&own));
        let made = compose(&layout, &settings, &own).unwrap();
        // The same secrets the next time: what was signed before is still good.
        assert_eq!(compose(&layout, &settings, &own).unwrap(), made);
        (made, folder)
    }

    #[test]
    fn stripe_is_the_sandboxs_unless_a_key_is_set() {
        let (without, _folder) = made(&[]);
        assert_eq!(without["STRIPE_API_BASE"], "http://127.0.0.1:8090/stripe/");
        assert_eq!(without["SANDBOX_STRIPE_WEBHOOK_URL"], "http://127.0.0.1:3000/api/webhooks/stripe");
        assert_eq!(without["STRIPE_WEBHOOK_SECRET"], without["SANDBOX_STRIPE_WEBHOOK_SECRETS"]);

        let (with, _folder) =
            made(&[("STRIPE_SECRET_KEY", "sk_test_mine"), ("STRIPE_PUBLISHABLE_KEY", "pk_test_mine")]);
        assert_eq!(with["STRIPE_SECRET_KEY"], "sk_test_mine");
        for none in ["STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRET", "SANDBOX_STRIPE_WEBHOOK_URL"] {
            assert!(!with.contains_key(none), "{none}");
        }
    }

    #[test]
    fn text_messages_are_the_sandboxs_unless_there_is_an_account() {
        let (without, _folder) = made(&[]);
        assert_eq!(without["TWILIO_API_BASE"], "http://127.0.0.1:8090/twilio");
        assert_eq!(without["TWILIO_AUTH_TOKEN"], without["SANDBOX_TWILIO_AUTH_TOKEN"]);
        assert_eq!(without["TWILIO_FROM"], "+15005550006");
        // Calls are signed over the address that the API knows itself by.
        assert_eq!(without["SANDBOX_TWILIO_INBOUND_URL"], "http://localhost:3000/api/webhooks/twilio/inbound");

        let mine = [
            ("TWILIO_ACCOUNT_SID", "AC1"),
            ("TWILIO_AUTH_TOKEN", "mine"),
            ("TWILIO_FROM", "+12125550123"),
            ("BFF_PUBLIC_URL", "https://api.example.com"),
        ];
        let (with, _folder) = made(&mine);
        for none in ["TWILIO_API_BASE", "SANDBOX_TWILIO_INBOUND_URL"] {
            assert!(!with.contains_key(none), "{none}");
        }
        let (public, _folder) = made(&mine[3..]);
        assert_eq!(public["SANDBOX_TWILIO_INBOUND_URL"], "https://api.example.com/api/webhooks/twilio/inbound");
    }

    #[test]
    fn mails_go_by_smtp_or_as_to_sendgrid() {
        let (usual, _folder) = made(&[]);
        assert_eq!((usual["SMTP_PORT"].as_str(), usual["SMTP_TLS"].as_str()), ("8025", "none"));
        assert!(!usual.contains_key("SENDGRID_API_KEY"));

        let (sendgrid, _folder) = made(&[("EMAIL_PROVIDER", "sendgrid")]);
        assert_eq!(sendgrid["SENDGRID_API_BASE"], "http://127.0.0.1:8090/sendgrid");
        assert_eq!(sendgrid["SANDBOX_SENDGRID_WEBHOOK_URL"], "http://localhost:3000/api/webhooks/sendgrid");
        let public = leadflow_sandbox::sendgrid_public_key(&sendgrid["SANDBOX_SENDGRID_WEBHOOK_KEY"]).unwrap();
        assert_eq!(sendgrid["SENDGRID_WEBHOOK_PUBLIC_KEY"], public);
        assert!(!sendgrid.contains_key("SMTP_HOST"));

        for own in [("SMTP_HOST", "mail.example.com"), ("SENDGRID_API_KEY", "SG.mine")] {
            let from = if own.0 == "SMTP_HOST" { "SMTP_FROM" } else { "SENDGRID_FROM_EMAIL" };
            let (with, _folder) = made(&[own, (from, "me@example.com")]);
            assert!(!with.contains_key("SMTP_PORT") && !with.contains_key("SENDGRID_API_BASE"), "{own:?}");
        }
    }
}
