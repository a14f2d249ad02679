//! Where a mail came from, and whether it is spam, as the host says that took it in.
//!
//! Anybody can write `Authentication-Results` and spam headers into a mail. Believed are those of the configured host alone, and
//! of them only the ones that stand where that host writes: above the lines of the hosts before it.

use super::Authenticity;
use crate::mime::Mail;
use crate::settings::Policy;

/// How much of a header is read, bytes.
const READ: usize = 8 * 1024;
/// How deep comments may be in each other.
const COMMENTS: usize = 20;

/// What the trusted host says.
pub fn authenticity(mail: &Mail, policy: &Policy) -> Authenticity {
    let Some(host) = policy.trusted_host.as_deref() else { return Authenticity::default() };
    let trusted = trusted(mail, host);
    let mut said = Authenticity { spam: trusted.iter().find_map(|(name, value)| spam(name, value)), ..Authenticity::default() };
    let blocks = blocks(trusted, host);
    let domain = mail.from.first().and_then(|from| from.address.rsplit_once('@')).map(|(_, domain)| organisation(domain));
    // Of several senders, or several From lines, nobody knows which one was proved.
    let one = mail.from.len() == 1 && mail.headers.iter().filter(|(name, _)| name == "from").count() <= 1;
    let mut dmarc = None;
    let mut aligned = false;
    for result in blocks.iter().flat_map(|block| &block.results) {
        match (result.method.as_str(), result.result.as_str()) {
            ("dmarc", "fail") => said.spoofed = true,
            ("dmarc", "pass") => dmarc = dmarc.or(Some(true)),
            ("dkim" | "spf", "pass") => aligned |= domain.is_some() && result.domain().map(organisation) == domain,
            _ => {}
        }
    }
    said.passed = one && !said.spoofed && (dmarc == Some(true) || aligned);
    said
}

/// The headers that the trusted host, or a host of its own behind it, wrote: all above the first `Received` line that tells of
/// a hop before it.
fn trusted<'a>(mail: &'a Mail, host: &str) -> &'a [(String, String)] {
    let received = mail.headers.iter().enumerate().filter(|(_, (name, _))| name == "received");
    let mut inside = false;
    for (at, (_, value)) in received {
        if inside || !by(value).is_some_and(|by| is_host(by, host)) && !is_internal(value) {
            return &mail.headers[..at];
        }
        // What the host took from elsewhere is the last line it wrote; what it only handed on to itself is not.
        inside = !is_internal(value);
    }
    // Without a line of its own about the mail, the host's words cannot be told from the sender's.
    if inside { &mail.headers } else { &[] }
}

/// The host that wrote a `Received` line.
fn by(value: &str) -> Option<&str> {
    let mut words = value.split_whitespace();
    words.find(|word| word.eq_ignore_ascii_case("by"))?;
    words.next().map(|host| host.trim_matches(['(', ')', ';', '[', ']']))
}

/// A hop within one machine: handed over for delivery, or through a filter beside it.
fn is_internal(value: &str) -> bool {
    let lower = leadgate_core::text::cut(value, READ).to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    !lower.trim_start().starts_with("from ")
        || has(&[" with lmtp", " with local", "([127.0.0.1]", "[127.0.0.1])", "([::1]", "[::1])"])
}

/// Whether a host is the trusted one or one of the same organisation.
fn is_host(name: &str, host: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == host || name.contains('.') && organisation(&name) == organisation(host)
}

/// The domain somebody registered, in lower case: DMARC's organisational domain (RFC 7489, 3.2).
fn organisation(domain: &str) -> String {
    let domain = domain.trim().trim_end_matches('.').to_lowercase();
    psl::domain_str(&domain).map_or_else(|| domain.clone(), str::to_owned)
}

/// The host's topmost `Authentication-Results`, and those directly under it: some hosts write one for each method.
fn blocks(headers: &[(String, String)], host: &str) -> Vec<Block> {
    let mut out = Vec::new();
    for (name, value) in headers {
        let block = (name == "authentication-results").then(|| Block::read(value)).flatten();
        match block.filter(|block| block.host == host) {
            Some(block) => out.push(block),
            None if !out.is_empty() => break,
            None => {}
        }
    }
    out
}

/// An `Authentication-Results` header (RFC 8601, 2.2).
struct Block {
    host: String,
    results: Vec<Outcome>,
}

/// One method's result with what was looked at.
struct Outcome {
    method: String,
    result: String,
    properties: Vec<(String, String)>,
}

impl Block {
    fn read(value: &str) -> Option<Self> {
        let plain = without_comments(leadgate_core::text::cut(value, READ));
        let mut parts = pieces(&plain, ';').into_iter();
        let host = parts.next()?;
        let host = host.split_whitespace().next()?.trim_matches('"').to_ascii_lowercase();
        Some(Self { host, results: parts.filter_map(|part| Outcome::read(&part)).collect() })
    }
}

impl Outcome {
    fn read(part: &str) -> Option<Self> {
        let mut pairs = pieces(&tight(part), ' ').into_iter().filter_map(|word| {
            let (name, value) = word.split_once('=')?;
            Some((name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned()))
        });
        let (method, result) = pairs.next()?;
        // The version of a method: `dkim/1`.
        let method = method.split('/').next().unwrap_or_default().to_owned();
        Some(Self { method, result: result.to_ascii_lowercase(), properties: pairs.collect() })
    }

    /// The domain that was proved: the signer's for DKIM, the envelope's for SPF.
    fn domain(&self) -> Option<&str> {
        let names: &[&str] = if self.method == "dkim" { &["header.d", "header.i"] } else { &["smtp.mailfrom", "smtp.mail"] };
        let value =
            names.iter().find_map(|name| self.properties.iter().find(|(known, _)| known == name)).map(|(_, value)| value)?;
        let domain = value.rsplit('@').next().unwrap_or(value).trim_matches(['<', '>']);
        (!domain.is_empty()).then_some(domain)
    }
}

/// A structured header without its comments. What is quoted stays.
fn without_comments(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for c in value.chars() {
        if escaped {
            escaped = false;
            if depth == 0 {
                out.push(c);
            }
            continue;
        }
        match c {
            '\\' if quoted || depth > 0 => escaped = true,
            '"' if depth == 0 => {
                quoted = !quoted;
                out.push(c);
            }
            '(' if !quoted => depth = (depth + 1).min(COMMENTS),
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                out.push(' ');
            }
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// A text divided where it is not quoted; a space stands for any blank.
fn pieces(text: &str, at: char) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '"';
        let divides = !quoted && (c == at || at == ' ' && c.is_whitespace());
        match out.last_mut() {
            Some(piece) if !divides => piece.push(c),
            _ => out.push(String::new()),
        }
    }
    out.retain(|piece| !piece.trim().is_empty());
    out
}

/// Without the blanks that may stand around `=`, `.` and `/`.
fn tight(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let joins = |c: char| matches!(c, '=' | '/');
        if !out.is_empty() && !out.ends_with(joins) && !word.starts_with(joins) {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// What a header of a spam filter says against a mail, in words.
fn spam(name: &str, value: &str) -> Option<String> {
    let value = leadgate_core::text::cut(value.trim(), 300);
    let lower = value.to_ascii_lowercase();
    let is = match name {
        "x-spam-flag" | "x-spam" | "x-barracuda-spam-flag" | "x-rspamd-spam" => {
            lower.starts_with("yes") || lower.starts_with("true")
        }
        "x-spam-status" | "x-barracuda-spam-status" => lower.starts_with("yes"),
        "x-spamd-result" => lower.split_once(':').is_some_and(|(_, result)| result.trim_start().starts_with("true")),
        "x-rspamd-action" => matches!(lower.as_str(), "reject" | "add header" | "rewrite subject"),
        "x-bogosity" => lower.starts_with("spam") || lower.starts_with("yes"),
        "x-dspam-result" | "x-mras" | "x-klms-antispam-status" => lower.starts_with("spam"),
        // 1 is none, 4 is spam.
        "x-yandex-spam" | "x-ya-spam" => lower.starts_with('4') || lower.starts_with("yes") || lower.starts_with("spam"),
        "x-mru-spam" | "x-mailru-spam" | "x-mru-antispam" => {
            ["yes", "spam", "true", "1"].iter().any(|yes| lower.starts_with(yes))
        }
        "x-forefront-antispam-report" => ["sfv:spm", "sfv:sks", "sfv:skb"].iter().any(|verdict| lower.contains(verdict)),
        "x-ms-exchange-organization-scl" => lower.parse::<i8>().is_ok_and(|level| level >= 5),
        _ => false,
    };
    is.then(|| format!("{name}: {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime::Address;

    /// Headers: names and values.
    type Headers<'a> = &'a [(&'a str, &'a str)];

    const RECEIVED: (&str, &str) =
        ("received", "from mail.example.org (mail.example.org [192.0.2.1]) by mx.acme.example with ESMTPS id 1");
    const BEFORE: (&str, &str) = ("received", "from pc.example.org ([192.0.2.9]) by mail.example.org with ESMTPSA id 2");

    fn said(headers: Headers<'_>) -> Authenticity {
        let policy = Policy { trusted_host: Some("mx.acme.example".to_owned()), ..Policy::default() };
        authenticity(&mail(headers), &policy)
    }

    fn mail(headers: Headers<'_>) -> Mail {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let from = Address { name: String::new(), address: "jane@shop.example.co.uk".to_owned() };
        Mail { headers, from: vec![from], ..Mail::default() }
    }

    #[test]
    fn results() {
        let cases = [
            ("dmarc=pass (p=none) header.from=example.co.uk", true, false),
            ("dmarc=fail (p=reject dis=none) header.from=example.co.uk", false, true),
            ("dmarc=none; dkim=pass header.d=mail.example.co.uk", true, false),
            ("dkim=pass header.d=other.co.uk; spf=pass smtp.mailfrom=bounce@other.example", false, false),
            ("spf=pass (a (nested; dmarc=fail) comment) smtp.mailfrom=\"a;b\"@example.co.uk", true, false),
            ("dkim / 1 = pass reason=\"good; dmarc=fail\" header.i = @example.co.uk", true, false),
            ("dkim=fail header.d=example.co.uk; spf=softfail smtp.mailfrom=example.co.uk", false, false),
            ("dkim=pass header.d=example.co.uk; dmarc=fail", false, true),
            ("DMARC=FAIL", false, true),
            ("none", false, false),
            ("dmarc=skipped; iprev=pass", false, false),
        ];
        for (results, passed, spoofed) in cases {
            let value = format!("mx.acme.example 1; {results}");
            let said = said(&[("authentication-results", &value), RECEIVED, BEFORE]);
            assert_eq!((said.passed, said.spoofed), (passed, spoofed), "{results}");
        }
    }

    #[test]
    fn only_the_host_is_believed_and_only_where_it_writes() {
        let good = ("authentication-results", "mx.acme.example; dmarc=pass");
        let bad = ("authentication-results", "mx.acme.example; dmarc=fail");
        let other = ("authentication-results", "mx.evil.example; dmarc=pass");
        let handed = ("received", "from mx.acme.example by mx.acme.example with LMTP id 3");
        let cases: [(Headers<'_>, bool, bool); 9] = [
            (&[good, RECEIVED, BEFORE], true, false),
            (&[RECEIVED, good, ("received-spf", "x"), BEFORE], true, false),
            (&[handed, good, RECEIVED, BEFORE], true, false),
            (&[handed, RECEIVED, good, BEFORE], true, false),
            (&[RECEIVED, BEFORE, good], false, false),
            (&[other, RECEIVED, BEFORE], false, false),
            (&[BEFORE, good, RECEIVED], false, false),
            // The sender wrote one of its own under the host's: the worse counts, and one further down does not.
            (&[bad, good, RECEIVED, BEFORE], false, true),
            (&[good, ("subject", "x"), bad, RECEIVED], true, false),
        ];
        for (headers, passed, spoofed) in cases {
            let said = said(headers);
            assert_eq!((said.passed, said.spoofed), (passed, spoofed), "{headers:?}");
        }
    }

    #[test]
    fn without_a_trusted_host_nothing_is_believed() {
        let mail = mail(&[("authentication-results", "mx.acme.example; dmarc=fail"), ("x-spam-flag", "YES"), RECEIVED]);
        assert_eq!(authenticity(&mail, &Policy::default()), Authenticity::default());
    }

    #[test]
    fn two_senders_prove_nothing() {
        let mut two = mail(&[("authentication-results", "mx.acme.example; dmarc=pass"), RECEIVED]);
        two.headers.extend([("from".to_owned(), "a".to_owned()), ("from".to_owned(), "b".to_owned())]);
        let policy = Policy { trusted_host: Some("mx.acme.example".to_owned()), ..Policy::default() };
        assert!(!authenticity(&two, &policy).passed);
    }

    #[test]
    fn spam_headers() {
        let cases = [
            ("x-spam-flag", "YES", true),
            ("x-spam-flag", "NO", false),
            ("x-spam-status", "Yes, score=8.1 required=5.0", true),
            ("x-spam-status", "No, score=-1.1 required=5.0", false),
            ("x-spamd-result", "default: True [16.20 / 15.00]", true),
            ("x-spamd-result", "default: False [1.20 / 15.00]", false),
            ("x-ya-spam", "4", true),
            ("x-ya-spam", "1", false),
            ("x-yandex-spam", "1", false),
            ("x-mras", "SPAM", true),
            ("x-mras", "Ok", false),
            ("x-ms-exchange-organization-scl", "6", true),
            ("x-forefront-antispam-report", "CIP:192.0.2.1;SFV:SPM;H:x", true),
            ("x-mailer", "yes", false),
        ];
        for (name, value, is) in cases {
            assert_eq!(said(&[(name, value), RECEIVED, BEFORE]).spam.is_some(), is, "{name}: {value}");
            assert_eq!(said(&[RECEIVED, BEFORE, (name, value)]).spam, None, "under the host's lines: {name}");
            assert_eq!(said(&[BEFORE, (name, value)]).spam, None, "no line of the host: {name}");
        }
    }

    #[test]
    fn hostile_headers_are_read_in_time() {
        let deep = format!("mx.acme.example; {}dmarc=pass", "(".repeat(200_000));
        let many = "mx.acme.example; ".to_owned() + &"a=b;".repeat(200_000);
        for value in [deep, many] {
            assert!(!said(&[("authentication-results", &value), RECEIVED]).passed);
        }
    }
}
