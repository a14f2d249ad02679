//! Folders and their names: modified UTF-7 (RFC 3501 section 5.1.3) on the way, what people see in here.

use data_encoding::BASE64_NOPAD;

use super::said::{Data, Status};
use super::{FolderInfo, ImapError, Session};

impl Session {
    /// All folders.
    pub async fn folders(&mut self) -> Result<Vec<FolderInfo>, ImapError> {
        // Where that is offered, marks come only to those who ask (RFC 6154).
        let marked = self.offers("SPECIAL-USE") && self.offers("LIST-EXTENDED");
        let commands: &[&str] =
            if marked { &["LIST \"\" \"*\" RETURN (SPECIAL-USE)", "LIST \"\" \"*\""] } else { &["LIST \"\" \"*\""] };
        let mut refused = None;
        for command in commands {
            let mut found: Vec<(Vec<String>, String)> = Vec::new();
            // One odd name must not hide the others: what cannot be read is passed over.
            let status = self
                .run(command, "", |data| {
                    if let Data::List { marks, name } = data {
                        found.push((marks, name));
                    }
                    Ok(())
                })
                .await?;
            match status.ok(self.wire.server(), "does not list its folders") {
                Ok(_) => return Ok(found.into_iter().map(|(marks, name)| self.known(marks, name)).collect()),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| self.out_of_step()))
    }

    fn known(&mut self, marks: Vec<String>, raw: String) -> FolderInfo {
        let name = decode(&raw).unwrap_or_else(|| raw.clone());
        // RFC 3501 knows one way to write a name; some servers know others.
        if encode(&name) != raw {
            self.written.insert(name.clone(), raw);
        }
        FolderInfo { name, marks }
    }

    /// How a folder's name is written to this server.
    pub(super) fn written(&self, folder: &str) -> String {
        self.written.get(folder).cloned().unwrap_or_else(|| encode(folder))
    }

    /// After a refusal: another way in which the server writes the folder's name, or why it cannot be used.
    pub(super) async fn other_name(&mut self, folder: &str, tried: &str, status: &Status) -> Result<String, ImapError> {
        let refused = || ImapError::Server(format!("the folder {folder:?} cannot be used: {}", status.text));
        let plain = encode(folder) == folder;
        if plain && matches!(status.code.as_str(), "NONEXISTENT" | "TRYCREATE") {
            return Err(ImapError::NoFolder(folder.to_owned()));
        }
        let all = self.folders().await?;
        let Some(found) = all.iter().find(|known| same(&known.name, folder)) else {
            return Err(ImapError::NoFolder(folder.to_owned()));
        };
        let other = self.written(&found.name);
        if found.marks.iter().any(|mark| mark.eq_ignore_ascii_case("\\NonExistent")) {
            return Err(ImapError::NoFolder(folder.to_owned()));
        }
        if found.marks.iter().any(|mark| mark == "\\Noselect") {
            return Err(ImapError::Server(format!("the folder {folder:?} holds folders only, no mails")));
        }
        if same(&other, tried) { Err(refused()) } else { Ok(other) }
    }
}

/// Whether two names are those of one folder. INBOX is, in any case of letters.
pub(super) fn same(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case("INBOX") && other.eq_ignore_ascii_case("INBOX"))
}

/// A name that is written already, as a quoted string.
pub(super) fn quoted(written: &str) -> String {
    escaped(written)
}

/// A quoted string. What cannot stand in one must have been kept out before.
pub(super) fn escaped(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A name in modified UTF-7.
pub(super) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut wide: Vec<u8> = Vec::new();
    for c in name.chars() {
        if (' '..='~').contains(&c) {
            shift(&mut out, &mut wide);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            wide.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    shift(&mut out, &mut wide);
    out
}

fn shift(out: &mut String, wide: &mut Vec<u8>) {
    if !wide.is_empty() {
        out.push('&');
        out.push_str(&BASE64_NOPAD.encode(wide).replace('/', ","));
        out.push('-');
        wide.clear();
    }
}

/// A name from modified UTF-7; `None`: it is none.
pub(super) fn decode(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (inside, behind) = after.split_once('-')?;
        if inside.is_empty() {
            out.push('&');
        } else {
            if inside.contains('/') {
                return None;
            }
            let bytes = BASE64_NOPAD.decode(inside.replace(',', "/").as_bytes()).ok()?;
            if bytes.len() % 2 != 0 {
                return None;
            }
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            for c in char::decode_utf16(units) {
                out.push(c.ok()?);
            }
        }
        rest = behind;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, written) in [
            ("INBOX", "INBOX"),
            ("Отправленные", "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"),
            ("Заявки", "&BBcEMARPBDIEOgQ4-"),
            ("R&D", "R&-D"),
            ("&", "&-"),
            ("A&-B", "A&--B"),
            ("Šiukšliadėžė", "&AWA-iuk&AWE-liad&ARcBfgEX-"),
            ("台北/日本語", "&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
            ("a\r\nb\u{7f}", "a&AA0ACg-b&AH8-"),
            ("", ""),
        ] {
            assert_eq!(encode(name), written);
            assert_eq!(decode(written).as_deref(), Some(name), "{written}");
        }
        // No such names: shifted and never back, no base64, half a character, half a pair.
        for broken in ["&", "a&b", "&BBc", "&%%-", "&BB-", "&BBcE-", "&2D0-", "&AA/-", "&BBd-"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
        assert_eq!(escaped("a\\b\"c"), "\"a\\\\b\\\"c\"");
    }

    proptest::proptest! {
        #[test]
        fn there_and_back(name in ".{0,40}") {
            let written = encode(&name);
            assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            assert_eq!(decode(&written), Some(name));
        }

        #[test]
        fn anything_may_come(raw in "[&,/A-Za-z0-9+ -]{0,40}") {
            decode(&raw);
        }
    }
}
