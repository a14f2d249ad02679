//! What a recording is, by its first bytes: what a service says of it is not asked.

use leadgate_core::text;

/// So many bytes tell.
pub(super) const HEAD: usize = 12;
/// Characters of what may be the end of a name: `mp3`.
const END: usize = 5;

/// A kind of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    Wav,
    Mp3,
    Aac,
    Ogg,
    M4a,
    Flac,
    Amr,
    Webm,
}

impl Sound {
    /// What begins so; `None`: no recording.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        Some(match head {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..]
            | [b'R', b'F', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Self::Wav,
            [b'I', b'D', b'3', ..] => Self::Mp3,
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            [b'#', b'!', b'A', b'M', b'R', ..] => Self::Amr,
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Self::Webm,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Self::M4a,
            [0xff, second, ..] if second & 0xf6 == 0xf0 => Self::Aac,
            [0xff, second, third, ..] if is_frame(*second, *third) => Self::Mp3,
            _ => return None,
        })
    }

    /// What stands behind the dot of its name.
    pub(super) fn end(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Aac => "aac",
            Self::Ogg => "ogg",
            Self::M4a => "m4a",
            Self::Flac => "flac",
            Self::Amr => "amr",
            Self::Webm => "webm",
        }
    }

    /// Its type.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Aac => "audio/aac",
            Self::Ogg => "audio/ogg",
            Self::M4a => "audio/mp4",
            Self::Flac => "audio/flac",
            Self::Amr => "audio/amr",
            Self::Webm => "audio/webm",
        }
    }

    /// A file's name as it was offered, with the end that is right.
    pub(super) fn named(self, offered: &str) -> String {
        let clean: String =
            text::printable(offered, true).chars().map(|c| if matches!(c, '/' | '\\') { '_' } else { c }).collect();
        let clean = clean.trim().trim_start_matches('.');
        let is_end = |end: &str| {
            end.len() <= END
                && end.starts_with(|c: char| c.is_ascii_alphabetic())
                && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let stem = match clean.rsplit_once('.') {
            Some((_, end)) if end.eq_ignore_ascii_case(self.end()) => return clean.to_owned(),
            Some((stem, end)) if !stem.is_empty() && is_end(end) => stem,
            _ => clean,
        };
        let stem = if stem.is_empty() { "recording" } else { stem };
        format!("{stem}.{}", self.end())
    }
}

/// Whether a frame of MPEG audio begins so (ISO 11172-3, 2.4.2.3), of layer II or III: nobody records in layer I, and a text in
/// UTF-16 would seem to be that.
fn is_frame(second: u8, third: u8) -> bool {
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    let (rate, frequency) = (third >> 4, third >> 2 & 3);
    second & 0xe0 == 0xe0 && version != 1 && matches!(layer, 1 | 2) && rate != 15 && frequency != 3
}

/// What it is that is no recording, in words.
pub(super) fn otherwise(head: &[u8]) -> &'static str {
    match head.trim_ascii_start() {
        [] => "nothing",
        [b'<', ..] => "a page",
        [b'{' | b'[', ..] => "an answer for programs",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_are_known_by_their_beginning() {
        for (head, sound) in [
            (&b"RIFF\x24\x08\0\0WAVE"[..], Sound::Wav),
            (b"RF64\xff\xff\xff\xffWAVE", Sound::Wav),
            (b"ID3\x04\0\0\0\0\0\x23TS", Sound::Mp3),
            (b"\xff\xfb\x90\x64\0\0\0\0\0\0\0\0", Sound::Mp3),
            (b"\xff\xf3\x18\xc4", Sound::Mp3),
            (b"\xff\xe3\x18\xc4", Sound::Mp3),
            (b"\xff\xf1\x50\x80", Sound::Aac),
            (b"OggS\0\x02\0\0\0\0\0\0", Sound::Ogg),
            (b"\0\0\0\x20ftypM4A ", Sound::M4a),
            (b"fLaC\0\0\0\x22", Sound::Flac),
            (b"#!AMR\n", Sound::Amr),
            (b"#!AMR-WB\n", Sound::Amr),
            (b"\x1a\x45\xdf\xa3\x9f", Sound::Webm),
        ] {
            assert_eq!(Sound::of(head), Some(sound), "{head:?}");
        }
    }

    #[test]
    fn what_is_no_sound_is_told() {
        for (other, words) in [
            (&b"<!DOCTYPE ht"[..], "a page"),
            (b"\r\n <html>", "a page"),
            (b"{\"status\":\"e", "an answer for programs"),
            (b"", "nothing"),
            (b"RIFF\0\0\0\0AVI ", "something else"),
            (b"RIFF", "something else"),
            (b"%PDF-1.7\n", "something else"),
            (b"PK\x03\x04", "something else"),
            // A text in UTF-16, and what never is a frame.
            (b"\xff\xfe{\0\"\0", "something else"),
            (b"\xff\xfb\xf0\x00", "something else"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "something else"),
            (b"\xff", "something else"),
        ] {
            assert_eq!((Sound::of(other), otherwise(other)), (None, words), "{other:?}");
        }
    }

    #[test]
    fn names_end_as_what_they_are() {
        for (sound, offered, named) in [
            (Sound::Mp3, "recording", "recording.mp3"),
            (Sound::Wav, "REC1.WAV", "REC1.WAV"),
            (Sound::Wav, "rec.mp3", "rec.wav"),
            (Sound::Mp3, "get.php", "get.mp3"),
            (Sound::Mp3, "2026-11-21.10.30", "2026-11-21.10.30.mp3"),
            (Sound::Ogg, "", "recording.ogg"),
            (Sound::Ogg, ".mp3", "mp3.ogg"),
            (Sound::Ogg, "../a\\b\u{202e}.ogg", "_a_b.ogg"),
            (Sound::M4a, "разговор", "разговор.m4a"),
        ] {
            assert_eq!(sound.named(offered), named, "{offered}");
        }
    }
}
