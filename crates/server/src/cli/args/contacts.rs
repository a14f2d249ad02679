//! `contacts`.

use clap::{Args, Subcommand};
use leadgate_core::ids::{ContactId, SourceId};

use super::{Erase, ErasedList, Export, Paging};

/// `contacts`
#[derive(Debug, Subcommand)]
pub enum Contacts {
    /// List contacts, the most recently active first.
    List(ContactList),
    /// Show one contact: what it is known by, its leads, what happened.
    Show {
        /// The contact's number.
        id: ContactId,
    },
    /// Give out everything that is kept of a person, for a person who asks.
    Export(Export),
    /// Remove everything that is known of a person, for good.
    Erase(Erase),
    /// List who was erased, when, by whom and why.
    Erased(ErasedList),
    /// Say that an address can be reached again, to which mails came back.
    Reachable {
        /// The contact's number.
        id: ContactId,
        /// The address.
        email: String,
    },
    /// Take a contact that came back and waits.
    Take {
        /// The contact's number.
        id: ContactId,
        /// The manager's id [default: the only one in the configuration].
        #[arg(long, value_name = "ID")]
        manager: Option<String>,
    },
}

/// `contacts list`
#[derive(Args, Clone, Debug, Default)]
pub struct ContactList {
    /// Only those who came back without an open lead and wait to be taken.
    #[arg(long)]
    pub waiting: bool,
    /// Only the person with this phone or e-mail, however it is spelled.
    #[arg(long, value_name = "PHONE|EMAIL")]
    pub find: Option<String>,
    /// Only those with a name word that begins like this.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Only with something from this source; may be repeated.
    #[arg(long, value_name = "ID")]
    pub source: Vec<SourceId>,
    /// Which part of the list.
    #[command(flatten)]
    pub paging: Paging,
}
