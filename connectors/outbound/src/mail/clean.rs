//! What visitors typed, made fit for a mail: without control characters and marks that turn the direction of writing, and bounded.

use leadgate_core::text;

/// One line of at most so many characters.
pub fn line(typed: &str, most: usize) -> String {
    let printable = text::printable(typed, true);
    let mut out = String::new();
    for word in printable.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        // Nobody reads further; and what follows may be megabytes.
        if out.len() > most.saturating_mul(4) {
            break;
        }
    }
    match out.char_indices().nth(most) {
        None => out,
        Some(_) => out.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Lines of at most so many characters together, and whether there was more.
pub fn block(typed: &str, most: usize) -> (String, bool) {
    let typed = text::cut(typed, most.saturating_mul(8));
    let unified = typed.replace("\r\n", "\n").replace('\r', "\n");
    let printable = text::printable(unified.trim(), false);
    let kept: String = printable.chars().take(most).collect();
    let more = kept.len() < printable.len();
    (kept, more)
}

/// A link that calls a canonical phone (RFC 3966); `None`: it is not one.
pub fn tel(canonical: &str) -> Option<String> {
    let (number, extension) = canonical.split_once(";ext=").map_or((canonical, None), |(number, ext)| (number, Some(ext)));
    let digits = number.strip_prefix('+')?;
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = (5..=15).contains(&digits.len()) && all_digits(digits) && extension.is_none_or(all_digits);
    fits.then(|| format!("tel:{canonical}"))
}

/// Bytes, for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_blocks_are_bounded_and_printable() {
        assert_eq!(line("  Анна\r\nBcc: x@y.ru \u{202e}теп\0 ", 100), "Анна Bcc: x@y.ru теп");
        assert_eq!(line("абвгд", 3), "аб…");
        assert_eq!(line("абв", 3), "абв");
        assert_eq!(block("one\r\ntwo\rthree\u{7}", 100), ("one\ntwo\nthree".to_owned(), false));
        assert_eq!(block("абвгд", 3), ("абв".to_owned(), true));
        assert_eq!(block("", 3), (String::new(), false));
    }

    #[test]
    fn only_a_canonical_phone_is_called() {
        assert_eq!(tel("+79161234567").as_deref(), Some("tel:+79161234567"));
        assert_eq!(tel("+74951234567;ext=12").as_deref(), Some("tel:+74951234567;ext=12"));
        for wrong in
            ["", "89161234567", "+7 916 123-45-67", "+7916\"onclick=", "+7495123;ext=", "+7495123;ext=1;x", "+1234567890123456"]
        {
            assert_eq!(tel(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_told_in_few_digits() {
        assert_eq!([size(0), size(1_400), size(2_350_000), size(7_000_000_000)], ["0 B", "1 KB", "2.3 MB", "7.0 GB"]);
    }
}
