//! A short string of ASCII digits on the stack, so that reading a clean number allocates nothing but its result.

/// The most digits kept; E.164 has at most 15, and a longer string is no number however long it is.
pub(super) const MAX: usize = 40;

/// ASCII digits, at most [`MAX`]; what does not fit is counted, not kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    bytes: [u8; MAX],
    len: usize,
}

impl Digits {
    pub(super) const fn new() -> Self {
        Self { bytes: [b'0'; MAX], len: 0 }
    }

    /// The ASCII digits of a text; everything else is passed over.
    pub(super) fn of(text: &str) -> Self {
        let mut digits = Self::new();
        text.bytes().filter(u8::is_ascii_digit).for_each(|digit| digits.push(digit));
        digits
    }

    pub(super) fn push(&mut self, digit: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = digit;
        }
        self.len += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn as_str(&self) -> &str {
        // Only ASCII digits are ever pushed.
        str::from_utf8(&self.bytes[..self.len.min(MAX)]).unwrap_or_default()
    }
}
