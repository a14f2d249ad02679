//! What a section says of the connection.

use std::path::Path;
use std::time::Duration;

use leadgate_mailbox::settings::{Connection, Login, OAuth};
use leadgate_wire::peer::Security;

use crate::support::taken;

fn good(config: &str) -> Connection {
    let (connection, problems) = taken(config, Path::new("/data"));
    assert_eq!(problems, Vec::<String>::new(), "{config}");
    connection
}

fn oauth(config: &str) -> OAuth {
    match good(config).login {
        Login::OAuth(oauth) => oauth,
        Login::Password(_) => panic!("{config}: a password"),
    }
}

#[test]
fn what_is_not_said() {
    let connection = good("host = \"Imap.Example.com\"\nuser = \"u@example.com\"\npassword = \"p\"");
    assert_eq!(
        (connection.server.host.as_str(), connection.server.port, connection.server.security),
        ("imap.example.com", 993, Security::Tls)
    );
    assert_eq!(
        (connection.server.ca, connection.server.fingerprint, connection.server.timeout),
        (None, None, Duration::from_mins(1))
    );
    assert!(matches!(connection.login, Login::Password(password) if password.expose() == "p"));
    assert_eq!(good("host = \"h\"\nuser = \"u\"\npassword = \"p\"\nsecurity = \"starttls\"").server.port, 143);
    assert_eq!(good("host = \"пример.рф\"\nuser = \"u\"\npassword = \"p\"").server.host, "xn--e1afmkfd.xn--p1ai");
    for here in ["127.0.0.1", "localhost", "::1", "[::1]"] {
        good(&format!("host = \"{here}\"\nuser = \"u\"\npassword = \"p\"\nsecurity = \"plain\"\nport = 1143"));
    }
}

#[test]
fn fingerprints() {
    let bare = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    let pairs: Vec<&str> = (0..32).map(|at| &bare[at * 2..at * 2 + 2]).collect();
    let expected = Some(std::array::from_fn(|at| u8::try_from(at % 16 * 17).unwrap()));
    for text in [bare.to_owned(), pairs.join(":"), format!("sha256 Fingerprint={}", pairs.join(":"))] {
        let connection =
            good(&format!("host = \"h\"\nuser = \"u\"\npassword = \"p\"\nfingerprint = \"{text}\"\ntimeout = \"1 min 30 s\""));
        assert_eq!((connection.server.fingerprint, connection.server.timeout), (expected, Duration::from_secs(90)), "{text}");
    }
}

#[test]
fn providers() {
    let google =
        "user = \"u\"\noauth = { provider = \"google\", client_id = \"c\", client_secret = \"s\", refresh_token = \"r\" }";
    let connection = good(google);
    assert_eq!((connection.server.host.as_str(), connection.server.port), ("imap.gmail.com", 993));
    let google = oauth(google);
    assert_eq!((google.token_url.as_str(), google.scope), ("https://oauth2.googleapis.com/token", None));
    let person = oauth("user = \"u\"\noauth = { provider = \"microsoft\", client_id = \"c\", refresh_token = \"r\" }");
    assert_eq!(person.token_url, "https://login.microsoftonline.com/common/oauth2/v2.0/token");
    assert_eq!(person.scope.as_deref(), Some("https://outlook.office.com/IMAP.AccessAsUser.All offline_access"));
    let company = "host = \"h\"\nuser = \"u\"\n\
                   oauth = { provider = \"microsoft\", client_id = \"c\", client_secret = \"s\", tenant = \"example.com\" }";
    assert_eq!(good(company).server.host, "h");
    let company = oauth(company);
    assert_eq!(company.token_url, "https://login.microsoftonline.com/example.com/oauth2/v2.0/token");
    assert_eq!(company.scope.as_deref(), Some("https://outlook.office365.com/.default"));
    let own = oauth(
        "host = \"h\"\nuser = \"u\"\n\
         oauth = { token_url = \"http://10.0.0.7:9/t\", client_id = \"c\", client_secret = \"s\", refresh_token = \"r\", scope = \"x y\" }",
    );
    assert_eq!((own.token_url.as_str(), own.scope.as_deref()), ("http://10.0.0.7:9/t", Some("x y")));
    let text = format!("{own:?}");
    assert!(!text.contains("\"s\"") && !text.contains("\"r\""), "{text}");
}

#[test]
fn all_problems_at_once() {
    let keys = |config: &str| {
        let (_, problems) = taken(config, Path::new("/data"));
        problems.iter().filter_map(|problem| Some(problem.split_once(':')?.0.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(keys(""), ["host", "user", "password"]);
    let wrong = "host = \"https://h:1\"\nport = 0\nsecurity = \"ssl\"\nca = \"/no/such.pem\"\nfingerprint = \"12:34\"\nuser = 1\n\
                 password = \"p\"\noauth = { provider = \"yahoo\", fax = 1 }\ntimeout = \"2 months\"";
    let expected = [
        "host",
        "security",
        "port",
        "ca",
        "fingerprint",
        "user",
        "user",
        "oauth",
        "oauth.provider",
        "oauth.client_id",
        "oauth.token_url",
        "oauth.refresh_token",
        "oauth.fax",
        "timeout",
    ];
    let mut found = keys(wrong);
    let mut wanted = expected.map(str::to_owned).to_vec();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
    assert_eq!(
        keys("host = \"h.example\"\nuser = \"u\"\npassword = \"p\"\nsecurity = \"plain\"\nfingerprint = \"x\""),
        ["security", "fingerprint"]
    );
    let company = "user = \"u\"\noauth = { provider = \"microsoft\", client_id = \"c\", client_secret = \"s\" }";
    assert_eq!(keys(company), ["oauth.tenant"]);
    let google = "user = \"u\"\noauth = { provider = \"google\", client_id = \"c\", client_secret = \"s\", tenant = \"t\" }";
    assert_eq!(keys(google), ["oauth.tenant", "oauth.refresh_token"]);
    let own =
        "host = \"h\"\nuser = \"u\"\noauth = { token_url = \"http://example.com/t\", client_id = \"c\", refresh_token = \"r\" }";
    assert_eq!(keys(own), ["oauth.token_url"]);
}

#[test]
fn words_say_what_to_write() {
    let (_, problems) =
        taken("host = \"h.example\"\nuser = \"u\"\npassword = \"p\"\nsecurity = \"plain\"\ntimeout = 5", Path::new(""));
    assert!(
        problems[0].contains("for this machine itself only") && problems[0].contains("write \"tls\" or \"starttls\""),
        "{problems:?}"
    );
    assert_eq!(problems[1], "timeout: it is a whole number, but must be a text");
}
