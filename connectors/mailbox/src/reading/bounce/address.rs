//! Addresses, statuses and codes in the words of servers.

/// Addresses of a text and where each begins.
pub(super) fn addresses(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_local = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '&' | '~' | '$' | '#' | '%' | '!' | '\'');
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + text[from..].find('@')?;
            let local = &text[from..at];
            let start = local
                .rfind(|c: char| !is_local(c))
                .map_or(0, |last| last + local[last..].chars().next().map_or(1, char::len_utf8));
            let start = from + start;
            let trimmed = text[start..at].trim_start_matches(['\'', '.', '-', '#']);
            let start = at - trimmed.len();
            let rest = &text[at + 1..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '-' | '_')).unwrap_or(rest.len());
            let domain = rest[..end].trim_end_matches(['.', '-', '_']);
            from = at + 1;
            if !trimmed.is_empty() && !domain.is_empty() && at - start <= 64 && domain.len() <= 253 {
                return Some((start, &text[start..=at + domain.len()]));
            }
        }
    })
}

/// An address at the beginning of a line, and what follows it.
pub(super) fn starts_with_address(line: &str) -> Option<(&str, &str)> {
    let start = line.trim_start_matches(|c: char| {
        c.is_whitespace() || matches!(c, '>' | '<' | '*' | '-' | '\u{2022}' | '|' | '"' | '\'' | '(')
    });
    let (at, address) = addresses(start).next().filter(|(at, _)| *at == 0)?;
    Some((address, start[at + address.len()..].trim_start_matches(['>', '"', '\'', ')', '*'])))
}

/// Servers and those who look after them are not whom the mail was for; nor is who writes.
pub(super) fn is_machine(address: &str, sender: &str) -> bool {
    let address = address.to_lowercase();
    let local = address.split('@').next().unwrap_or_default();
    address == sender || matches!(local, "postmaster" | "mailer-daemon" | "abuse" | "hostmaster") || !address.contains('@')
}

/// "mail from jane@example.com": the address before which this stands is the sender's.
pub(super) fn after_from(before: &str) -> bool {
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '<' | '"' | '\'' | ':')).to_lowercase();
    ["from", "sender", "by", "от", "отправителя", "von", "de", "contact"]
        .iter()
        .any(|word| before.strip_suffix(word).is_some_and(|rest| !rest.ends_with(char::is_alphanumeric)))
}

/// Where what follows a command of SMTP begins in a line (in lower case).
pub(super) fn conversation(line: &str, command: &str) -> Option<usize> {
    line.find(command).map(|at| at + command.len())
}

/// `550 no such user`, as a server says it.
pub(super) fn is_refusal(line: &str) -> bool {
    let line = line.trim_start_matches(['<', '-', ' ', '\t']);
    let code = line.as_bytes();
    code.len() > 3 && matches!(code[0], b'4' | b'5') && code[1..3].iter().all(u8::is_ascii_digit) && !code[3].is_ascii_digit()
}

/// A mailbox without its domain, which is then the sender's.
pub(super) fn local(line: &str, sender: &str) -> Option<String> {
    let line = line.trim();
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-')).unwrap_or(line.len());
    let (local, rest) = line.split_at(end);
    let apart =
        rest.is_empty() || rest.starts_with("  ") || rest.starts_with('\t') || rest.starts_with(" (") || rest.starts_with(':');
    let domain = sender.rsplit_once('@')?.1;
    let domain = psl::domain_str(domain).unwrap_or(domain);
    (local.len() >= 2 && apart && !domain.is_empty()).then(|| format!("{local}@{domain}"))
}

/// A status as RFC 3463 writes it: `5.1.1`.
pub(super) fn status(text: &str) -> Option<String> {
    let text = leadgate_core::text::cut(text, 2_000);
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_matches('.'));
    words.into_iter().find_map(|word| {
        let parts: Vec<&str> = word.split('.').collect();
        let fits = parts.len() == 3
            && matches!(parts[0], "2" | "4" | "5")
            && parts[1..].iter().all(|part| (1..=3).contains(&part.len()));
        fits.then(|| word.to_owned())
    })
}

/// Whether a failure is for good: by the status, else by the code of SMTP, else it is.
pub(super) fn is_permanent(status: &str, stated: &str, said: &str) -> bool {
    if let Some(class) = status.bytes().next() {
        return class != b'4';
    }
    let codes = |text: &str| {
        let words = leadgate_core::text::cut(text, 2_000).split(|c: char| !c.is_ascii_alphanumeric());
        words.filter(|word| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit())).find_map(|word| {
            match word.as_bytes()[0] {
                b'4' => Some(false),
                b'5' => Some(true),
                _ => None,
            }
        })
    };
    codes(stated).or_else(|| codes(said)).unwrap_or(true)
}
