//! Multipart forms: fields are kept in memory up to a limit, files are streamed to the attachment store. A file that may
//! not be kept costs the form nothing but that file.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::HeaderMap;
use hyper::body::Body as HttpBody;
use leadgate_core::ports::{Part, Push, PushLimits};
use leadgate_core::submission::FileRef;
use leadgate_core::text;
use multer::{Field, Multipart};

use super::body::{ReadError, Reader};
use crate::attachments::{AttachmentError, Attachments};
use crate::clock::Clock;
use crate::space::Space;

/// All fields of a form that are no files, in bytes; also what is remembered of a form that may turn out to be none.
const FIELDS: usize = 1 << 20;
/// Fields and files of a form.
const PARTS: usize = 1000;
/// The longest name of a field or file that is kept.
const NAME_BYTES: usize = 300;
/// A refused file is read to its end, so that the rest of the form is heard; but not for ever.
const ABOVE_FILES: u64 = 64 << 20;

/// Where files go, and which may.
pub struct Shelf<'a> {
    pub attachments: &'a Attachments,
    pub clock: &'a Clock,
    pub push: &'a dyn Push,
    pub limits: PushLimits,
    /// Files of a sender without a token are not kept: anybody could fill the disk.
    pub known_sender: bool,
    /// Whether there is room.
    pub space: &'a Space,
}

/// What a multipart body turned out to be.
pub enum Form {
    /// A form.
    Parts(Vec<Part>),
    /// Something else: all its bytes.
    NoForm(Bytes),
}

/// Why there is nothing to hand on.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// The body could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is no form, and too large to be kept as a whole: its beginning.
    #[error("{why}")]
    Broken {
        /// The first bytes.
        head: Bytes,
        /// What is wrong.
        why: String,
    },
    /// A file could not be written.
    #[error(transparent)]
    Disk(#[from] AttachmentError),
}

/// The boundary, if a body says it is a multipart form.
pub fn boundary(headers: &HeaderMap) -> Option<String> {
    let content_type = headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(content_type).ok()
}

/// Reads a form.
pub async fn read<B>(reader: Reader<B>, boundary: String, shelf: &Shelf<'_>) -> Result<Form, FormError>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let most = shelf.limits.files_total.saturating_add(ABOVE_FILES);
    let source = Arc::new(Source { reader: tokio::sync::Mutex::new(reader), head: Mutex::default() });
    let pieces = stream::unfold(Arc::clone(&source), move |source| async move {
        let piece = source.next(most).await.transpose()?;
        Some((piece, source))
    });
    let mut form = Multipart::new(pieces, boundary);
    let mut gathered = Gathered { shelf, parts: Vec::new(), field_bytes: 0, files: 0, file_bytes: 0 };
    let outcome = gathered.all(&mut form).await;
    drop(form);
    match outcome {
        Ok(()) => Ok(Form::Parts(gathered.parts)),
        Err(Trouble::Read(error)) => Err(error.into()),
        Err(Trouble::Disk(error)) => Err(error.into()),
        Err(Trouble::Malformed(why)) => source.as_bytes(why).await,
    }
}

/// The body, read by the form's parser, with its beginning remembered in case it is no form.
struct Source<B> {
    reader: tokio::sync::Mutex<Reader<B>>,
    head: Mutex<Head>,
}

/// The first bytes of a body: all of them up to a limit, then only the first piece.
#[derive(Default)]
struct Head {
    pieces: Vec<Bytes>,
    bytes: usize,
    cut: bool,
}

impl Head {
    fn add(&mut self, piece: &Bytes) {
        if self.cut {
            return;
        }
        self.bytes += piece.len();
        self.pieces.push(piece.clone());
        if self.bytes > FIELDS {
            // Too large to be taken for anything but a form: let the memory go.
            self.pieces.truncate(1);
            self.cut = true;
        }
    }
}

impl<B> Source<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::error::Error,
{
    async fn next(&self, most: u64) -> Result<Option<Bytes>, ReadError> {
        let piece = self.reader.lock().await.next(most).await?;
        if let Some(piece) = &piece {
            self.head().add(piece);
        }
        Ok(piece)
    }

    fn head(&self) -> std::sync::MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All the bytes, for a body that is no form after all.
    async fn as_bytes(&self, why: String) -> Result<Form, FormError> {
        while !self.head().cut {
            if self.next(u64::MAX).await?.is_none() {
                break;
            }
        }
        let head = std::mem::take(&mut *self.head());
        let bytes = joined(&head.pieces);
        if head.cut { Err(FormError::Broken { head: bytes, why }) } else { Ok(Form::NoForm(bytes)) }
    }
}

fn joined(pieces: &[Bytes]) -> Bytes {
    match pieces {
        [one] => one.clone(),
        many => many
            .iter()
            .fold(BytesMut::with_capacity(many.iter().map(Bytes::len).sum()), |mut all, piece| {
                all.extend_from_slice(piece);
                all
            })
            .freeze(),
    }
}

enum Trouble {
    Read(ReadError),
    Disk(AttachmentError),
    Malformed(String),
}

impl From<multer::Error> for Trouble {
    fn from(error: multer::Error) -> Self {
        match error {
            multer::Error::StreamReadFailed(source) => match source.downcast::<ReadError>() {
                Ok(read) => Self::Read(*read),
                Err(other) => Self::Read(ReadError::BrokenOff(other.to_string())),
            },
            other => Self::Malformed(format!("the multipart form cannot be read: {other}")),
        }
    }
}

impl From<AttachmentError> for Trouble {
    fn from(error: AttachmentError) -> Self {
        Self::Disk(error)
    }
}

struct Gathered<'a> {
    shelf: &'a Shelf<'a>,
    parts: Vec<Part>,
    field_bytes: usize,
    files: usize,
    file_bytes: u64,
}

impl Gathered<'_> {
    async fn all(&mut self, form: &mut Multipart<'_>) -> Result<(), Trouble> {
        while let Some(field) = form.next_field().await? {
            if self.parts.len() >= PARTS {
                return Err(Trouble::Read(ReadError::Oversize(FIELDS as u64)));
            }
            match field.file_name().map(base_name) {
                Some(name) => self.file(field, name).await?,
                None => self.field(field).await?,
            }
        }
        Ok(())
    }

    async fn field(&mut self, mut field: Field<'_>) -> Result<(), Trouble> {
        let name = text::cut(field.name().unwrap_or_default(), NAME_BYTES).to_owned();
        let mut pieces = Vec::new();
        while let Some(piece) = field.chunk().await? {
            self.field_bytes += piece.len();
            if self.field_bytes > FIELDS {
                return Err(Trouble::Read(ReadError::Oversize(FIELDS as u64)));
            }
            pieces.push(piece);
        }
        self.parts.push(Part::Field { name, value: joined(&pieces) });
        Ok(())
    }

    async fn file(&mut self, mut field: Field<'_>, name: String) -> Result<(), Trouble> {
        let form_field = text::cut(field.name().unwrap_or_default(), NAME_BYTES).to_owned();
        let content_type = field.content_type().map_or_else(String::new, |mime| text::cut(mime.as_ref(), NAME_BYTES).to_owned());
        // An empty choice is a part without name and bytes: no file.
        let Some(first) = next_bytes(&mut field).await? else {
            if !name.is_empty() {
                self.refuse(form_field, name, "the file is empty".to_owned());
            }
            return Ok(());
        };
        let name = if name.is_empty() { "file".to_owned() } else { name };
        if let Err(why) = self.may_be_kept(&name, &content_type) {
            self.refuse(form_field, name, why);
            return skip(field).await;
        }
        let mut upload = self.shelf.attachments.begin(self.shelf.clock).await?;
        let mut piece = Some(first);
        while let Some(bytes) = piece {
            let size = upload.size() + bytes.len() as u64;
            if let Err(why) = self.fits(size) {
                upload.abort().await?;
                self.refuse(form_field, name, why);
                return skip(field).await;
            }
            upload.write(bytes).await?;
            piece = next_bytes(&mut field).await?;
        }
        let kept = upload.finish().await?;
        self.files += 1;
        self.file_bytes += kept.size;
        self.parts.push(Part::File(FileRef { sha256: kept.sha256, name, content_type, size: kept.size, field: form_field }));
        Ok(())
    }

    fn may_be_kept(&self, name: &str, content_type: &str) -> Result<(), String> {
        if !self.shelf.known_sender {
            return Err("files are kept only from senders whose address holds the source's token".to_owned());
        }
        if self.files >= self.shelf.limits.files {
            return Err(format!("a form may bring {} files", self.shelf.limits.files));
        }
        self.shelf.push.file_allowed(name, content_type)?;
        self.shelf.space.refusal().map_or(Ok(()), Err)
    }

    fn fits(&self, size: u64) -> Result<(), String> {
        let limits = self.shelf.limits;
        if size > limits.file {
            return Err(format!("the file is larger than {} bytes", limits.file));
        }
        if self.file_bytes + size > limits.files_total {
            return Err(format!("the files of the form are larger than {} bytes together", limits.files_total));
        }
        Ok(())
    }

    fn refuse(&mut self, field: String, name: String, why: String) {
        self.parts.push(Part::Refused { field, name, why });
    }
}

async fn next_bytes(field: &mut Field<'_>) -> Result<Option<Bytes>, Trouble> {
    loop {
        match field.chunk().await? {
            Some(piece) if piece.is_empty() => {}
            piece => return Ok(piece),
        }
    }
}

async fn skip(mut field: Field<'_>) -> Result<(), Trouble> {
    while field.chunk().await?.is_some() {}
    Ok(())
}

/// The last part of a name some browsers send with its path, without what does not belong in a name.
fn base_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    text::cut(text::printable(&text::clean(name), true).trim(), NAME_BYTES).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_paths() {
        assert_eq!(base_name("C:\\Users\\Анна\\план.pdf"), "план.pdf");
        assert_eq!(base_name("../../etc/passwd"), "passwd");
        assert_eq!(base_name("a\u{202e}fdp.exe\r\n"), "afdp.exe");
    }
}
