//! The floor under free space: below it files are refused, so that leads go on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::{Attachments, Config, Database};

/// Asks how many bytes are free on a folder's disk.
pub type Probe = fn(&Path) -> io::Result<u64>;

/// What is watched, and whether there is too little.
#[derive(Debug)]
pub struct Space {
    /// Folders whose disks must not fill.
    places: Vec<PathBuf>,
    /// Files are kept on one of them.
    files: bool,
    probe: Probe,
    low: AtomicBool,
}

/// A look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The least that is free; `None`: nothing is kept on disks of this machine.
    pub free: Option<u64>,
    /// It fell below the floor, or rose above it again, since the last look.
    pub turned: bool,
    /// It is below.
    pub low: bool,
}

impl Space {
    /// Watches the disk of a database that is a file, and that of attachments that lie in a folder.
    pub fn new(config: &Config, probe: Probe) -> Self {
        let mut places = Vec::new();
        if let Database::Sqlite(path) = &config.database {
            places.extend(path.parent().map(Path::to_path_buf));
        }
        let files = match &config.attachments {
            Attachments::Own(folder) | Attachments::Shared(folder) => {
                places.push(folder.clone());
                true
            }
            Attachments::S3(_) => false,
        };
        Self { places, files, probe, low: AtomicBool::new(false) }
    }

    /// Looks at the disks. Once too little is free, a twentieth more than the floor is enough again: it does not change its
    /// mind with every delivery.
    pub fn look(&self, floor: u64) -> io::Result<Look> {
        let mut free: Option<u64> = None;
        for place in &self.places {
            let found = (self.probe)(place)?;
            free = Some(free.map_or(found, |least| least.min(found)));
        }
        let was = self.low.load(Ordering::Relaxed);
        let enough = if was { floor.saturating_add(floor / 20) } else { floor };
        let low = free.is_some_and(|free| free < enough);
        self.low.store(low, Ordering::Relaxed);
        Ok(Look { free, turned: low != was, low })
    }

    /// Whether too little is free.
    pub fn is_low(&self) -> bool {
        self.low.load(Ordering::Relaxed)
    }

    /// Why a file may not be kept now, in words.
    pub fn refusal(&self) -> Option<String> {
        (self.files && self.is_low()).then(|| "the disk of the gateway is nearly full: leads are taken, files are not".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static FREE: Cell<u64> = const { Cell::new(0) };
    }

    fn space(files: bool) -> Space {
        let probe: Probe = |_| Ok(FREE.get());
        Space { places: vec![PathBuf::from("/data")], files, probe, low: AtomicBool::new(false) }
    }

    #[test]
    fn it_turns_once_at_the_floor_and_once_above_it() {
        let space = space(true);
        let look = |free| {
            FREE.set(free);
            let look = space.look(1000).unwrap();
            (look.low, look.turned, space.refusal().is_some())
        };
        assert_eq!(look(1000), (false, false, false));
        assert_eq!(look(999), (true, true, true));
        assert_eq!(look(10), (true, false, true));
        assert_eq!(look(1049), (true, false, true), "not yet enough again");
        assert_eq!(look(1050), (false, true, false));
        assert_eq!(look(1000), (false, false, false));
        FREE.set(0);
        assert!(!space.look(0).unwrap().low, "no floor");
    }

    #[test]
    fn files_in_a_bucket_need_no_space_here() {
        let space = space(false);
        FREE.set(1);
        assert!(space.look(1000).unwrap().low && space.refusal().is_none());
        let nothing = Space { places: Vec::new(), ..space };
        assert_eq!(nothing.look(1000).unwrap(), Look { free: None, turned: true, low: false });
    }

    #[test]
    fn a_disk_that_cannot_be_asked_is_told() {
        let probe: Probe = |_| Err(io::ErrorKind::NotFound.into());
        let space = Space { probe, ..space(true) };
        assert!(space.look(1000).is_err() && !space.is_low());
    }
}
