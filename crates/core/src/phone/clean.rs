//! Characters: every digit becomes an ASCII digit, every space a space, every dash a hyphen.

/// Lower-case text in which digits, blanks, dashes, plus signs and brackets have one form each; invisible characters and
/// control characters are gone, line ends are `\n`.
pub(super) fn clean(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    for c in field.chars() {
        match c {
            '0'..='9' | 'a'..='z' | ' ' | '+' | '-' | '(' | ')' | '.' => out.push(c),
            _ if is_invisible(c) => {}
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            _ => match digit(c) {
                Some(digit) => out.push(char::from(b'0' + digit)),
                None => fold_symbol(c, &mut out),
            },
        }
    }
    out
}

/// Marks that change how text looks but not what it says: zero-width characters, joiners, directions, the soft hyphen,
/// the byte order mark, variation selectors and the enclosing keycap.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{20e3}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
        || (c.is_control() && !c.is_whitespace())
}

fn fold_symbol(c: char, out: &mut String) {
    match c {
        _ if c.is_whitespace() => out.push(' '),
        '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{30fc}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => out.push('-'),
        '\u{ff0b}' | '\u{fe62}' | '\u{207a}' | '\u{2795}' => out.push('+'),
        '\u{ff08}' | '\u{fe59}' => out.push('('),
        '\u{ff09}' | '\u{fe5a}' => out.push(')'),
        '\u{ff0e}' | '\u{2024}' | '\u{b7}' => out.push('.'),
        '\u{ff0f}' | '\u{2044}' | '\u{2215}' => out.push('/'),
        '\u{ff0c}' | '\u{3001}' => out.push(','),
        '\u{ff1b}' => out.push(';'),
        '\u{ff1a}' => out.push(':'),
        '\u{ff03}' => out.push('#'),
        '\u{2022}' | '\u{25cf}' | '\u{2217}' | '\u{ff0a}' => out.push('*'),
        '\u{2026}' => out.push_str("..."),
        // Full-width Latin letters are letters of an extension marker as much as plain ones.
        '\u{ff21}'..='\u{ff3a}' => out.push(ascii_letter(c, 0xff21)),
        '\u{ff41}'..='\u{ff5a}' => out.push(ascii_letter(c, 0xff41)),
        _ => out.extend(c.to_lowercase()),
    }
}

fn ascii_letter(c: char, first: u32) -> char {
    u8::try_from(u32::from(c) - first).map_or(c, |offset| char::from(b'a' + offset))
}

/// The value of a decimal digit of any script.
fn digit(c: char) -> Option<u8> {
    /// The zeros of the decimal digits of Unicode (general category Nd); each is followed by its one to nine.
    const ZEROS: [u32; 58] = [
        0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6, 0x0e50, 0x0ed0,
        0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
        0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450,
        0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x16a60, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec,
        0x1d7f6,
    ];
    let code = u32::from(c);
    if code < 0x0660 {
        return None;
    }
    let at = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
    u8::try_from(code - ZEROS[at]).ok().filter(|value| *value < 10)
}
