//! A mail signed in one piece (S/MIME `application/pkcs7-mime`, RFC 8551, 3.5.2): what was signed, taken out. Nothing is verified.

/// The object identifier id-data (1.2.840.113549.1.7.1) in DER: what follows it is the content.
const DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
const EXPLICIT: u8 = 0xa0;
const OCTETS: u8 = 0x04;
const OCTETS_IN_PIECES: u8 = 0x24;

/// Whether a part is a message of S/MIME.
pub(super) fn is_signed(kind: &str, name: &str) -> bool {
    matches!(kind, "application/pkcs7-mime" | "application/x-pkcs7-mime")
        || (kind == "application/octet-stream" && name.to_ascii_lowercase().ends_with(".p7m"))
}

/// The mail within. `None` if it is encrypted, or nothing that can be read.
pub(super) fn content(message: &[u8]) -> Option<Vec<u8>> {
    let at = memchr::memmem::find(message, DATA)? + DATA.len();
    let (EXPLICIT, inner, _) = element(&message[at..])? else { return None };
    let (tag, mut rest, _) = element(inner)?;
    match tag {
        OCTETS => Some(rest.to_vec()),
        // In pieces, as programs write it that do not know the length beforehand.
        OCTETS_IN_PIECES => {
            let mut content = Vec::new();
            while let Some((OCTETS, piece, after)) = element(rest) {
                content.extend_from_slice(piece);
                rest = after;
            }
            Some(content)
        }
        _ => None,
    }
}

/// The element at the beginning (X.690, 8.1): its tag, its content, what follows. Content of indefinite length reaches to the end.
fn element(raw: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, length, rest @ ..] = raw else { return None };
    let (length, rest) = match *length {
        0x80 => (rest.len(), rest),
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = length.iter().try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?;
            (length, rest)
        }
    };
    // Cut off: what is there is read.
    let (content, rest) = rest.split_at(length.min(rest.len()));
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_is_taken_out() {
        let whole = [b"\x30\x80".as_slice(), DATA, b"\xa0\x07\x04\x05hello", b"\x31\x00"].concat();
        assert_eq!(content(&whole).as_deref(), Some(b"hello".as_slice()));
        let pieces = [DATA, b"\xa0\x80\x24\x80\x04\x03hel\x04\x81\x02lo\x00\x00\x00\x00"].concat();
        assert_eq!(content(&pieces).as_deref(), Some(b"hello".as_slice()));
        let encrypted = [DATA, b"\x30\x05\x06\x03abc"].concat();
        for raw in [encrypted.as_slice(), DATA, b"", &[DATA, b"\xa0\xff"].concat(), &[DATA, b"\xa0\x02\x24"].concat()] {
            assert_eq!(content(raw), None);
        }
    }
}
