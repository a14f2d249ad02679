//! Where a mailbox is and how one gets in.

use std::sync::Arc;

use leadgate_core::ports::{BuildContext, BuildProblem, Secrets};
use leadgate_core::secret::Secret;
use leadgate_wire::keys::Keys;
use leadgate_wire::peer::{Peer, Ports, Security, Usual};
use toml::Table;
use url::{Host, Url};

use crate::imap::Tokens;

/// How the account proves itself.
#[derive(Clone, Debug)]
pub enum Login {
    /// `password`.
    Password(Secret),
    /// `oauth`: XOAUTH2 with an access token that is refreshed.
    OAuth(OAuth),
}

/// How access tokens are had. Clones share them.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The token endpoint.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret; public clients have none.
    pub client_secret: Option<Secret>,
    /// The refresh token; without one, the client's own credentials are used.
    pub refresh_token: Option<Secret>,
    /// The scope asked for.
    pub scope: Option<String>,
    /// The tokens that were given.
    pub(crate) tokens: Arc<Tokens>,
}

/// Where a mailbox is and how one gets in.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The server.
    pub server: Peer,
    /// The account.
    pub user: String,
    /// Its proof.
    pub login: Login,
}

/// The keys of an account, beside those of its server.
const KEYS: [&str; 3] = ["user", "password", "oauth"];
/// Of IMAP (RFC 8314, section 7.1).
const PORTS: Ports = Ports { tls: 993, starttls: 143, plain: 143 };

impl Connection {
    /// Takes its keys from a section.
    pub fn take(config: &mut Table, secrets: &dyn Secrets, context: &BuildContext, problems: &mut Vec<BuildProblem>) -> Self {
        let own = Peer::KEYS.iter().chain(&KEYS);
        let own: Table = own.filter_map(|key| Some(((*key).to_owned(), config.remove(*key)?))).collect();
        let provider = provider_of(&own);
        let mut keys = Keys::new(own);
        let usual = provider.map(|provider| match provider {
            Provider::Google => "imap.gmail.com",
            Provider::Microsoft => "outlook.office365.com",
        });
        let server =
            Peer::take(&mut keys, &Usual { host: usual, example: "imap.example.com", security: Security::Tls, ports: PORTS });
        let user = keys.text("user").unwrap_or_else(|| {
            keys.problem("user", "whose mailbox? write user = \"info@example.com\"");
            String::new()
        });
        if user.chars().any(char::is_control) {
            keys.problem("user", "there is a character in it that no account has");
        }
        let login = login(&mut keys, secrets, context, provider);
        problems.extend(keys.finish());
        Self { server, user, login }
    }

    /// What people should know of the account before it is too late.
    pub fn warning(&self) -> Option<String> {
        match &self.login {
            Login::OAuth(oauth) => oauth.tokens.warning(),
            Login::Password(_) => None,
        }
    }
}

/// Providers whose places are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Provider {
    Google,
    Microsoft,
}

/// The provider that `oauth` names, read before its turn: it also says which server is meant.
fn provider_of(table: &Table) -> Option<Provider> {
    match table.get("oauth")?.get("provider")?.as_str()? {
        "google" => Some(Provider::Google),
        "microsoft" => Some(Provider::Microsoft),
        _ => None,
    }
}

fn login(keys: &mut Keys, secrets: &dyn Secrets, context: &BuildContext, provider: Option<Provider>) -> Login {
    let (password, oauth) = (keys.has("password"), keys.has("oauth"));
    if password && oauth {
        keys.problem("oauth", "there is a password, too; write one of both");
    }
    if !password && !oauth {
        keys.problem(
            "password",
            "how does the account prove itself? write password = { env = \"MAILBOX_PASSWORD\" }, or an oauth table",
        );
    }
    let password = keys.secret("password", secrets);
    let oauth = keys.within("oauth", |keys| self::oauth(keys, secrets, context, provider));
    match (oauth, password) {
        (Some(oauth), _) => Login::OAuth(oauth),
        (None, password) => Login::Password(password.unwrap_or_else(|| Secret::new(""))),
    }
}

fn oauth(keys: &mut Keys, secrets: &dyn Secrets, context: &BuildContext, provider: Option<Provider>) -> OAuth {
    keys.one_of("provider", &[("google", ()), ("microsoft", ())]);
    let client_id = keys.text("client_id").unwrap_or_else(|| {
        keys.problem("client_id", "write the id of the application that you registered with the provider");
        String::new()
    });
    let (secret_there, refreshes, url_there) = (keys.has("client_secret"), keys.has("refresh_token"), keys.has("token_url"));
    let (client_secret, refresh_token) = (keys.secret("client_secret", secrets), keys.secret("refresh_token", secrets));
    let tenant = tenant(keys, provider, refreshes);
    let token_url = token_url(keys).or_else(|| match provider {
        Some(Provider::Google) => Some("https://oauth2.googleapis.com/token".to_owned()),
        Some(Provider::Microsoft) => Some(format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token")),
        None => None,
    });
    if token_url.is_none() && !url_there {
        keys.problem("token_url", "write the provider's token endpoint, or provider = \"google\" or \"microsoft\"");
    }
    if !refreshes && provider == Some(Provider::Google) {
        keys.problem("refresh_token", "Google lets an application read mail by a person's refresh token only");
    } else if !refreshes && !secret_there {
        keys.problem(
            "refresh_token",
            "write a refresh token, or the client_secret of an application that may read mail by itself",
        );
    }
    // Google's refresh tokens have their scope in them.
    let scope = keys.text("scope").or_else(|| match (provider, refreshes) {
        (Some(Provider::Microsoft), true) => Some("https://outlook.office.com/IMAP.AccessAsUser.All offline_access".to_owned()),
        (Some(Provider::Microsoft), false) => Some("https://outlook.office365.com/.default".to_owned()),
        (Some(Provider::Google) | None, _) => None,
    });
    let kept = (!context.data.as_os_str().is_empty()).then(|| context.data.join(format!("oauth-{}.json", context.source)));
    let tokens = Arc::new(Tokens::new(kept));
    OAuth { token_url: token_url.unwrap_or_default(), client_id, client_secret, refresh_token, scope, tokens }
}

/// Microsoft's directory; `common` is anybody's.
fn tenant(keys: &mut Keys, provider: Option<Provider>, refreshes: bool) -> String {
    let tenant = keys.text("tenant");
    let fits =
        |tenant: &String| tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) && !tenant.is_empty();
    match tenant {
        Some(_) if provider != Some(Provider::Microsoft) => keys.problem("tenant", "only provider = \"microsoft\" has tenants"),
        Some(tenant) if fits(&tenant) => return tenant,
        Some(tenant) => keys.problem("tenant", format!("{tenant:?} is no tenant; write its id or domain")),
        None if provider == Some(Provider::Microsoft) && !refreshes && !keys.has("token_url") => {
            keys.problem("tenant", "an application that reads mail by itself belongs to a tenant; write its id or domain");
        }
        None => {}
    }
    "common".to_owned()
}

fn token_url(keys: &mut Keys) -> Option<String> {
    let text = keys.text("token_url")?;
    let inner = |url: &Url| match url.host() {
        Some(Host::Ipv4(ip)) => !leadgate_wire::guarded::is_public(ip.into()),
        Some(Host::Ipv6(ip)) => !leadgate_wire::guarded::is_public(ip.into()),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match Url::parse(&text) {
        Ok(url) if url.scheme() == "https" && url.has_host() => Some(text),
        Ok(url) if url.scheme() == "http" && inner(&url) => Some(text),
        _ => {
            keys.problem("token_url", format!("{text:?} cannot be called; write an address that begins with https://"));
            None
        }
    }
}
