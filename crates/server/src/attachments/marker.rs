//! The marker: which installation a place for attachments belongs to. Without it a gateway would sweep another one's files,
//! because its own database does not name them.

use anyhow::{Context as _, bail};
use futures_util::TryStreamExt as _;
use leadgate_core::ports::Store;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use uuid::Uuid;

use super::{Attachments, Kind};
use crate::clock::Clock;

/// Its name.
const MARKER: &str = "leadgate-installation";
/// How many files of a place without a marker are looked at.
const LOOK_AT: usize = 256;

impl Attachments {
    /// Makes sure that the store can be used and belongs to this database's installation; leaves the marker on first use.
    /// The errors say what to do.
    pub async fn claim(&self, store: &dyn Store, clock: &Clock) -> anyhow::Result<()> {
        let ours = store.installation().await?;
        let theirs = self.marker().await?;
        if let Some(theirs) = theirs {
            self.fits(ours, theirs)?;
        }
        // A gateway that may read and not write would find out with its first customer.
        self.ask_time(clock).await.map_err(|error| self.explained(&error))?;
        if theirs.is_none() {
            self.may_be_taken(store, ours).await?;
            self.mark(ours).await?;
        }
        Ok(())
    }

    /// Refuses when the store belongs to somebody else by now.
    pub(super) async fn still_ours(&self, store: &dyn Store) -> anyhow::Result<()> {
        match self.marker().await? {
            Some(theirs) => self.fits(store.installation().await?, theirs),
            None => bail!("the marker {MARKER} is gone from {}: start the gateway again to have it made", self.name()),
        }
    }

    fn fits(&self, ours: Uuid, theirs: Uuid) -> anyhow::Result<()> {
        if ours == theirs {
            return Ok(());
        }
        bail!(
            "{} keeps the attachments of another installation ({theirs}; this database is of {ours}). Give this gateway a place \
             of its own: [attachments] url in config/local.toml",
            self.name()
        )
    }

    /// Whose it is; `None`: nobody has said.
    async fn marker(&self) -> anyhow::Result<Option<Uuid>> {
        let bytes = match self.0.objects.get(&Path::from(MARKER)).await {
            Ok(found) => found.bytes().await.map_err(|error| self.explained(&error.into()))?,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.explained(&error.into())),
        };
        let first = std::str::from_utf8(&bytes).ok().and_then(|text| text.lines().next());
        let id = first.and_then(|line| line.trim().parse().ok());
        id.map(Some).with_context(|| {
            format!("{MARKER} in {} does not hold the id of an installation: put the right one back", self.name())
        })
    }

    /// A place without a marker is taken if nothing lies there, or if it is the folder of an older version of this gateway.
    async fn may_be_taken(&self, store: &dyn Store, ours: Uuid) -> anyhow::Result<()> {
        let (mut names, mut files) = (Vec::new(), self.list());
        let listing = || format!("{} can be written and not listed: listing it must be allowed as well", self.name());
        while let Some(file) = files.try_next().await.with_context(listing)? {
            names.extend(file.sha256);
            if names.len() == LOOK_AT {
                break;
            }
        }
        if names.is_empty() || !store.attachments_known(names).await?.is_empty() {
            return Ok(());
        }
        bail!(
            "{} holds attachments that this database knows nothing of, and does not say whose they are. Should they be this \
             gateway's, put a file {MARKER} there that holds {ours}; else give the gateway an empty place: [attachments] url in \
             config/local.toml",
            self.name()
        )
    }

    async fn mark(&self, ours: Uuid) -> anyhow::Result<()> {
        let text = format!("{ours}\nThe Leadgate whose attachments these are. Do not remove this file.\n");
        let new = PutOptions::from(PutMode::Create);
        let payload = PutPayload::from(text);
        let put = match self.0.objects.put_opts(&Path::from(MARKER), payload.clone(), new).await {
            // Not every service knows how to put only what is not there.
            Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
                self.0.objects.put(&Path::from(MARKER), payload).await
            }
            other => other,
        };
        match put {
            Ok(_) | Err(Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(self.explained(&error.into())),
        }
        // Another gateway may have been faster.
        match self.marker().await? {
            Some(theirs) => self.fits(ours, theirs),
            None => bail!("{} does not show what was just put there: it must be readable at once", self.name()),
        }
    }

    /// What an error of the first contact means, and what to do.
    fn explained(&self, error: &super::AttachmentError) -> anyhow::Error {
        let name = self.name();
        let words = match (&self.0.kind, error) {
            (Kind::Bucket { .. }, super::AttachmentError::Store(Error::NotFound { .. })) => {
                format!("there is no such bucket: make {name}, or correct [attachments] url and endpoint")
            }
            (
                Kind::Bucket { .. },
                super::AttachmentError::Store(Error::PermissionDenied { .. } | Error::Unauthenticated { .. }),
            ) => {
                format!(
                    "{name} does not let us in: check access_key, secret_key and region in [attachments]; the key's owner must be \
                     allowed to get, put, delete and list its objects"
                )
            }
            (Kind::Bucket { .. }, _) => {
                format!(
                    "{name} cannot be reached: is the service up, is [attachments] endpoint right, and, over https, does this machine \
                     trust its certificate (SSL_CERT_FILE names a file of further authorities)?"
                )
            }
            (Kind::Folder { shared: true, .. }, _) => {
                format!("{name} cannot be used: is the network disk there, and may the gateway's user write to it?")
            }
            (Kind::Folder { shared: false, .. }, _) => format!("{name} cannot be used: may the gateway's user write to it?"),
        };
        anyhow::anyhow!("{words}\n{}", causes(error))
    }
}

/// An error with its causes, each said once: some tell what lies under them, some do not.
fn causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !told.contains(&words) {
            told.push_str(": ");
            told.push_str(&words);
        }
        next = cause.source();
    }
    told
}
