//! What `lettre` speaks over: a connection of any kind that does not listen for ever.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use leadgate_wire::peer::Io;
use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// Bytes a server may answer to one command. Replies are a few hundred. `lettre` counts whole lines only, and reads an answer from its
/// beginning at each of them.
const MOST: usize = 16 << 10;

/// A connection. What the server says without being asked further is bounded.
pub(super) struct Line {
    stream: Box<dyn Io>,
    /// Said already, to be heard first.
    said: io::Cursor<Vec<u8>>,
    left: usize,
}

impl Line {
    pub(super) fn new(stream: Box<dyn Io>, said: Vec<u8>) -> Self {
        Self { stream, said: io::Cursor::new(said), left: MOST }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl AsyncTokioStream for Line {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the answer does not end")));
        }
        let before = buffer.filled().len();
        let heard = if usize::try_from(self.said.position()).is_ok_and(|at| at < self.said.get_ref().len()) {
            Pin::new(&mut self.said).poll_read(context, buffer)
        } else {
            Pin::new(&mut self.stream).poll_read(context, buffer)
        };
        self.left = self.left.saturating_sub(buffer.filled().len() - before);
        heard
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.left = MOST;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// An answer before encryption begins.
pub(super) struct Plain {
    /// Its code (RFC 5321, section 4.2).
    pub code: u16,
    /// What stands behind the code, line by line.
    pub lines: Vec<String>,
    /// As it came.
    pub bytes: Vec<u8>,
}

/// Says a command, if there is one, and hears the answer. What comes beyond it is an error: before encryption anybody can have
/// written it.
pub(super) async fn ask(stream: &mut Box<dyn Io>, command: &str) -> io::Result<Plain> {
    if !command.is_empty() {
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        stream.flush().await?;
    }
    let mut bytes = Vec::new();
    while !is_whole(&bytes) {
        if bytes.len() >= MOST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer does not end"));
        }
        let mut chunk = [0; 1024];
        let got = stream.read(&mut chunk).await?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..got]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "what answers is no mail server");
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().position(|line| line.as_bytes().get(3) != Some(&b'-'));
    if last != lines.len().checked_sub(1) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it says more than it was asked"));
    }
    let code = lines.last().and_then(|line| line.get(..3)?.parse().ok()).ok_or_else(unreadable)?;
    Ok(Plain { code, lines: lines.iter().filter_map(|line| line.get(4..)).map(str::to_owned).collect(), bytes })
}

/// Whether a last line of an answer is there.
fn is_whole(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\n") && bytes.split(|byte| *byte == b'\n').any(|line| !line.is_empty() && line.get(3) != Some(&b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_heard_to_its_last_line_and_no_further() {
        let ask_of = async |text: &'static str| {
            let (near, mut far) = tokio::io::duplex(1 << 16);
            far.write_all(text.as_bytes()).await.unwrap();
            drop(far);
            let mut stream: Box<dyn Io> = Box::new(near);
            ask(&mut stream, "").await
        };
        let whole = ask_of("250-one\r\n250-STARTTLS\r\n250 end\r\n").await.unwrap();
        assert_eq!((whole.code, whole.lines.as_slice()), (250, ["one", "STARTTLS", "end"].map(str::to_owned).as_slice()));
        assert_eq!(ask_of("220\r\n").await.unwrap().code, 220);
        for wrong in ["", "250-one\r\n", "220 go\r\n250 injected\r\n", "HTTP/1.1 400\r\n\r\n", "\r\n"] {
            assert!(ask_of(wrong).await.is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn an_endless_answer_ends() {
        let (near, mut far) = tokio::io::duplex(1 << 12);
        tokio::spawn(async move { while far.write_all(&[b'x'; 1000]).await.is_ok() {} });
        let mut line = Line::new(Box::new(near), b"220 hello\r\n".to_vec());
        let mut heard = Vec::new();
        let error = line.read_to_end(&mut heard).await.unwrap_err();
        assert_eq!(error.to_string(), "the answer does not end");
        assert!(heard.starts_with(b"220 hello\r\nxxx") && heard.len() <= MOST + (64 << 10), "{}", heard.len());
    }
}
