//! Bytes to whole answers: a line, and the literals it announces. Bounded in size and in time, so that neither a silent server nor
//! a wrong number can hold a step for ever.
//!
//! Answers are cut here rather than by `async-imap`, whose stream ends for good at the first line it cannot read and looks like
//! an empty mailbox from then on. What stands in an answer, `imap-proto` reads.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use leadgate_wire::peer::Io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::ImapError;

/// Bytes that are read at once, if nothing larger is announced.
const CHUNK: usize = 16 << 10;
/// Bytes of an answer outside its literals. A SEARCH over three million mails is about this long.
const TEXT: usize = 32 << 20;
/// Bytes of an answer's literals, unless a larger mail is known to be there.
const LITERALS: usize = 64 << 20;
/// Opening brackets in an answer; in none that is asked for there are five. The parser calls itself at each.
const BRACKETS: usize = 64;
/// Bytes a second below which an answer is given up, after the first timeout.
const SLOWEST: u64 = 1 << 10;

/// A whole answer, with its CRLF.
#[derive(Debug)]
pub(super) struct Frame {
    /// Its bytes.
    pub bytes: Bytes,
    /// Whether it is like nothing a server says, and is not to be parsed.
    pub odd: bool,
}

/// Where in the buffer the answer that is being read has got to.
#[derive(Debug, Default)]
struct Place {
    /// Where its current line begins.
    line: usize,
    /// Up to where the line was searched for its end.
    searched: usize,
    /// Bytes of literals so far.
    literals: usize,
    brackets: usize,
    odd: bool,
}

/// A connection as answers and commands.
pub(super) struct Wire {
    stream: Box<dyn Io>,
    buffer: BytesMut,
    place: Place,
    /// For people: `imap.example.com:993`.
    server: String,
    timeout: Duration,
    step_began: Instant,
    step_bytes: u64,
    most_literals: usize,
}

impl Wire {
    pub fn new(stream: Box<dyn Io>, server: String, timeout: Duration) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            place: Place::default(),
            server,
            timeout,
            step_began: Instant::now(),
            step_bytes: 0,
            most_literals: LITERALS,
        }
    }

    /// The server, for people.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The bare connection; what was received beyond the last answer, too.
    pub fn into_parts(self) -> (Box<dyn Io>, BytesMut) {
        (self.stream, self.buffer)
    }

    /// A mail of so many bytes is known to be there. Servers are allowed to be wrong by half.
    pub fn expect(&mut self, bytes: usize) {
        self.most_literals = self.most_literals.max(bytes.saturating_mul(2));
    }

    /// Begins a step: its time runs from now.
    pub fn begin(&mut self) {
        self.step_began = Instant::now();
        self.step_bytes = 0;
    }

    /// Sends a line, in one piece: a server that delays its acknowledgements would cost 40 ms between two.
    pub async fn send(&mut self, line: &str) -> Result<(), ImapError> {
        let whole = format!("{line}\r\n");
        let until = Instant::now() + self.timeout;
        let sent = timeout_at(until, async {
            self.stream.write_all(whole.as_bytes()).await?;
            self.stream.flush().await
        });
        match sent.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_elapsed) => Err(ImapError::Network(format!("{} takes nothing any more", self.server))),
        }
    }

    /// The next answer within the time of the step. Silence may last as long as the timeout, and all of the step no longer than
    /// the timeout and a second for each KiB that came: a large mail over a slow line is waited for, a trickle is not.
    pub async fn answer(&mut self) -> Result<Frame, ImapError> {
        loop {
            if let Some(frame) = self.cut()? {
                return Ok(frame);
            }
            let slowest = self.step_began + self.timeout + Duration::from_secs(self.step_bytes / SLOWEST);
            let silent = Instant::now() + self.timeout;
            if !self.read(silent.min(slowest)).await? {
                let seconds = self.timeout.as_secs_f32();
                return Err(ImapError::Network(format!("{} did not answer within {seconds} s", self.server)));
            }
        }
    }

    /// The next answer, or `None` when the time is over. Nothing is lost if this is dropped halfway.
    pub async fn answer_by(&mut self, until: Instant) -> Result<Option<Frame>, ImapError> {
        loop {
            if let Some(frame) = self.cut()? {
                return Ok(Some(frame));
            }
            if !self.read(until).await? {
                return Ok(None);
            }
        }
    }

    /// Ends the connection in order; whether that works does not matter.
    pub async fn shut(mut self) {
        let until = Instant::now() + self.timeout.min(Duration::from_secs(2));
        drop(timeout_at(until, self.stream.shutdown()).await);
    }

    /// Reads something; `false`: the time is over.
    async fn read(&mut self, until: Instant) -> Result<bool, ImapError> {
        // A literal's whole length at once: no copying while it grows. The system gives memory only for what is written.
        let announced = self.place.line.saturating_sub(self.buffer.len());
        self.buffer.reserve(announced.max(CHUNK));
        match timeout_at(until, self.stream.read_buf(&mut self.buffer)).await {
            Err(_elapsed) => Ok(false),
            Ok(Ok(0)) => Err(ImapError::Network(format!("{} closed the connection", self.server))),
            Ok(Ok(count)) => {
                self.step_bytes += count as u64;
                Ok(true)
            }
            Ok(Err(error)) => Err(self.broken(&error)),
        }
    }

    /// Cuts the first answer off the buffer, if it is there as a whole.
    fn cut(&mut self) -> Result<Option<Frame>, ImapError> {
        loop {
            let (from, place) = (self.place.searched.max(self.place.line), &mut self.place);
            if self.buffer.len() <= from {
                return Ok(None);
            }
            let Some(end) = self.buffer[from..].windows(2).position(|pair| pair == b"\r\n").map(|at| from + at) else {
                place.searched = self.buffer.len() - 1;
                let text = self.buffer.len() - place.literals;
                return if text > TEXT { Err(self.too_long()) } else { Ok(None) };
            };
            let line = &self.buffer[place.line..end];
            let free_text = place.line == 0 && is_free_text(line);
            place.inspect(line, free_text);
            if let Some(length) = announced(line).filter(|_| !free_text) {
                place.literals = place.literals.saturating_add(length);
                if place.literals > self.most_literals {
                    return Err(self.too_long());
                }
                place.line = end + 2 + length;
                place.searched = place.line;
            } else {
                let odd = std::mem::take(place).odd;
                return Ok(Some(Frame { bytes: self.buffer.split_to(end + 2).freeze(), odd }));
            }
        }
    }

    fn too_long(&self) -> ImapError {
        ImapError::Unreadable(format!("{} sends an answer that is larger than anything it was asked for", self.server))
    }

    fn broken(&self, error: &io::Error) -> ImapError {
        ImapError::Network(format!("the connection to {} broke: {error}", self.server))
    }
}

impl Place {
    fn inspect(&mut self, line: &[u8], free_text: bool) {
        if free_text {
            return;
        }
        self.brackets += line.split(|byte| *byte == b'(').count() - 1;
        // The parser takes for granted that a mail has a date.
        let undated = line.windows(16).any(|piece| piece.eq_ignore_ascii_case(b"INTERNALDATE NIL"));
        self.odd |= self.brackets > BRACKETS || undated;
    }
}

/// Whether a line is text for people: what looks like a literal there is none.
fn is_free_text(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    first == b"+" || [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"].iter().any(|status| second.eq_ignore_ascii_case(status))
}

/// The length of the literal that a line announces: `.. {123}`, `.. ~{123}` (RFC 3516) or `.. {123+}` (RFC 7888).
fn announced(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|byte| *byte == b'{')?;
    let digits = &inner[open + 1..];
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    // More digits than a number has: larger than anything.
    all.then(|| std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frames(pieces: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let mut wire = Wire::new(Box::new(near), "server".to_owned(), Duration::from_secs(1));
        let mut out = Vec::new();
        for piece in pieces {
            far.write_all(piece).await.unwrap();
            // What is there is read; time does not pass.
            while let Some(frame) = wire.answer_by(Instant::now() + Duration::from_millis(1)).await.unwrap() {
                out.push((frame.bytes.to_vec(), frame.odd));
            }
        }
        out
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_cut_wherever_the_network_cuts() {
        let whole = b"* OK hello {5}\r\n* 1 FETCH (UID 7 BODY[] {11}\r\nab\r\n{3}\r\ncd FLAGS () X {2}\r\n\r\n)\r\n+ {1}\r\nA1 OK {9}\r\n";
        let expected: Vec<&[u8]> = vec![
            b"* OK hello {5}\r\n",
            b"* 1 FETCH (UID 7 BODY[] {11}\r\nab\r\n{3}\r\ncd FLAGS () X {2}\r\n\r\n)\r\n",
            b"+ {1}\r\n",
            b"A1 OK {9}\r\n",
        ];
        for at in 0..whole.len() {
            let (one, other) = whole.split_at(at);
            let cut = frames(&[one, other]).await;
            assert_eq!(cut.iter().map(|(bytes, _)| bytes.as_slice()).collect::<Vec<_>>(), expected, "cut at {at}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_would_hurt_the_parser_is_marked() {
        let deep = format!("* 1 FETCH (BODYSTRUCTURE {})\r\n", "(".repeat(100_000));
        let answers = frames(&[deep.as_bytes(), b"* 1 FETCH (INTERNALDATE nil)\r\n", b"* 1 FETCH (UID 4 )\r\n"]).await;
        assert_eq!(answers.iter().map(|(_, odd)| *odd).collect::<Vec<_>>(), [true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn announced_sizes_have_a_bound() {
        for size in ["67108865", "536870912", "99999999999999999999999"] {
            let (near, mut far) = tokio::io::duplex(1 << 10);
            let mut wire = Wire::new(Box::new(near), "server".to_owned(), Duration::from_secs(1));
            far.write_all(format!("* 1 FETCH (UID 1 BODY[] {{{size}}}\r\n").as_bytes()).await.unwrap();
            assert!(matches!(wire.answer().await, Err(ImapError::Unreadable(_))), "{size}");
            assert!(wire.buffer.capacity() < 1 << 20, "nothing is set aside for it");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_not_waited_for() {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        let mut wire = Wire::new(Box::new(near), "server".to_owned(), Duration::from_secs(30));
        let trickle = tokio::spawn(async move {
            while far.write_all(b"* OK still here\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        });
        wire.begin();
        let began = Instant::now();
        let error = loop {
            match wire.answer().await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error, ImapError::Network("server did not answer within 30 s".to_owned()));
        assert!(began.elapsed() < Duration::from_secs(61), "{:?}", began.elapsed());
        drop(wire);
        trickle.await.unwrap();
    }
}
