//! Reading a whole field.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

use super::{Email, EmailProblem, Reading, flags, provider};

/// The longest field that is read.
const MAX_FIELD: usize = 1_000;
/// RFC 5321, 4.5.3.1, with erratum 1690.
const MAX_ADDRESS: usize = 254;
const MAX_LOCAL: usize = 64;

/// Reads the addresses of a field. Total: any text gives addresses or a problem, and nothing panics.
///
/// Understands bare addresses, `"Name" <a@b>`, `mailto:` links and lists separated by commas, semicolons, blanks or
/// lines. A field in which one part looks like an attempt to add recipients gives no address at all.
///
/// ```
/// use leadgate_core::email;
///
/// let reading = email::read("Anna <Anna.Petrova+shop@GoogleMail.com>");
/// assert_eq!(reading.emails[0].address, "Anna.Petrova+shop@GoogleMail.com");
/// assert_eq!(reading.emails[0].key, "annapetrova@gmail.com");
/// ```
pub fn read(field: &str) -> Reading {
    let field = field.trim();
    if field.is_empty() {
        return failed(EmailProblem::Empty);
    }
    if field.len() > MAX_FIELD {
        return failed(EmailProblem::TooLong);
    }
    if is_plain(field) {
        return match address(field) {
            Ok(email) => Reading { emails: vec![email], problem: None },
            Err(problem) => failed(problem),
        };
    }
    let text = match visible(field) {
        Ok(text) => text,
        Err(problem) => return failed(problem),
    };
    if text.trim().is_empty() {
        return failed(EmailProblem::Empty);
    }
    several(&text)
}

fn failed(problem: EmailProblem) -> Reading {
    Reading { emails: Vec::new(), problem: Some(problem) }
}

/// One address and nothing around it, as most fields hold.
fn is_plain(field: &str) -> bool {
    let mut ats = 0;
    let plain = field.bytes().all(|b| {
        ats += usize::from(b == b'@');
        b.is_ascii_alphanumeric() || matches!(b, b'@' | b'.' | b'-' | b'_' | b'+')
    });
    plain && ats == 1 && field.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric)
}

/// The text without invisible characters, with one kind of blank and of line end; a problem if it tries to be a header.
fn visible(field: &str) -> Result<String, EmailProblem> {
    let mut text = String::with_capacity(field.len());
    for c in field.chars() {
        match c {
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => {}
            '\u{ff20}' | '\u{fe6b}' => text.push('@'),
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => text.push('\n'),
            _ if c.is_whitespace() => text.push(' '),
            _ if c.is_control() => return Err(EmailProblem::Control),
            _ => text.push(c),
        }
    }
    // A line break alone separates addresses of a text area; a line that is a mail header is an injection.
    if text.lines().skip(1).any(is_header) { Err(EmailProblem::Control) } else { Ok(text) }
}

fn is_header(line: &str) -> bool {
    const HEADERS: [&str; 10] =
        ["to", "cc", "bcc", "from", "subject", "reply-to", "sender", "content-type", "mime-version", "content-transfer-encoding"];
    line.split_once(':').is_some_and(|(name, _)| HEADERS.contains(&name.trim().to_ascii_lowercase().as_str()))
}

fn several(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut problem = None;
    for token in tokens(text) {
        match address(&token) {
            Ok(email) => {
                if reading.emails.iter().all(|known| known.key != email.key) {
                    reading.emails.push(email);
                }
            }
            // A query string among addresses: whatever stands beside it was put there by the same hand.
            Err(EmailProblem::Local) if token.contains(['?', '&', '%']) => return failed(EmailProblem::Local),
            Err(found) => {
                problem.get_or_insert(found);
            }
        }
    }
    if reading.emails.is_empty() {
        reading.problem = Some(problem.unwrap_or(EmailProblem::NoAt));
    }
    reading
}

/// The parts of a field that have an `@`, without display names and brackets.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut piece = String::new();
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            // A quoted part is a display name, and may hold anything.
            _ if quoted => {}
            // What stood in front of an address in angle brackets is its owner's name.
            '<' => piece.clear(),
            '>' | ',' | ';' | '\n' => take(&mut piece, &mut found),
            _ => piece.push(c),
        }
    }
    take(&mut piece, &mut found);
    found
}

fn take(piece: &mut String, found: &mut Vec<String>) {
    let text = std::mem::take(piece);
    if text.matches('@').count() == 1 && (text.contains(" @") || text.contains("@ ")) {
        // `name @ domain`: typed so against robots, or by a keyboard that adds blanks.
        let joined = text.split('@').map(str::trim).collect::<Vec<_>>().join("@");
        found.extend(words(&joined));
    } else {
        found.extend(words(&text));
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().filter(|word| word.contains('@')).map(|word| {
        let word = word.trim_start_matches(['\'', '(', '«', '“', '‘', ':', '.', '*']);
        let word = word.trim_end_matches(['\'', ')', '»', '”', '’', ':', '.', '!', '*']);
        let scheme = word.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
        if scheme { word[7..].split('?').next().unwrap_or_default().to_owned() } else { without_label(word).to_owned() }
    })
}

/// `email:a@b` and `почта:a@b`: the name of the field typed into it.
fn without_label(word: &str) -> &str {
    match word.split_once(':') {
        Some((label, rest)) if rest.contains('@') && label.chars().all(|c| c.is_alphabetic() || c == '-') => rest,
        _ => word,
    }
}

/// Reads one address.
fn address(token: &str) -> Result<Email, EmailProblem> {
    let (local, domain) = token.rsplit_once('@').ok_or(EmailProblem::NoAt)?;
    let domain = domain.trim_end_matches('.');
    if local.len() > MAX_LOCAL || token.len() > MAX_ADDRESS {
        return Err(EmailProblem::TooLong);
    }
    check_local(local)?;
    let ascii = ascii_domain(domain)?;
    let folded = fold(local);
    Ok(Email {
        address: format!("{local}@{domain}"),
        key: provider::key(&folded, &ascii),
        loose: provider::loose(&folded, &ascii),
        flags: flags::flags(&folded, &ascii),
        domain: ascii.into_owned(),
    })
}

/// NFKC and lower case.
fn fold(local: &str) -> Cow<'_, str> {
    if local.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(local);
    }
    if local.is_ascii() {
        return Cow::Owned(local.to_ascii_lowercase());
    }
    let mut text: String = local.nfkc().collect::<String>().to_lowercase();
    // Lower case can leave the normal form (`İ`), and the normal form can bring upper case back.
    while is_nfkc_quick(text.chars()) != IsNormalized::Yes || text.chars().any(char::is_uppercase) {
        let next = text.nfkc().collect::<String>().to_lowercase();
        if next == text {
            break;
        }
        text = next;
    }
    Cow::Owned(text)
}

/// A personal or a business mailbox: dot-atoms of RFC 5322 without the characters that nobody's name has and that query
/// strings and routes are made of.
fn check_local(local: &str) -> Result<(), EmailProblem> {
    let is_allowed = |c: char| {
        c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '\'' | '=' | '/' | '&' | '#' | '~' | '\u{300}'..='\u{36f}')
    };
    let misplaced =
        local.is_empty() || local.starts_with(['.', '=', '&']) || local.ends_with(['.', '=', '&']) || local.contains("..");
    let is_query = local.contains('&') && local.contains('=');
    if misplaced || is_query || !local.chars().all(is_allowed) { Err(EmailProblem::Local) } else { Ok(()) }
}

/// The domain in lower case and its ASCII form (UTS 46, non-transitional).
fn ascii_domain(domain: &str) -> Result<Cow<'_, str>, EmailProblem> {
    if domain.starts_with('[') {
        return Err(EmailProblem::IpLiteral);
    }
    let is_ready = domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let ascii = if is_ready && !domain.contains("--") {
        Cow::Borrowed(domain)
    } else {
        Cow::Owned(idna::domain_to_ascii(domain).map_err(|_| EmailProblem::Domain)?)
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !ascii.contains('.') || ascii.len() > 253 || !ascii.split('.').all(is_label) {
        return Err(EmailProblem::Domain);
    }
    // No top-level domain is a number.
    let last = ascii.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) { Err(EmailProblem::IpLiteral) } else { Ok(ascii) }
}
