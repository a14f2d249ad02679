//! The ports: what connectors, stores and the server know of each other.

mod calls;
mod deliver;
mod kinds;
mod pull;
mod push;
mod store;
mod talks;

pub use calls::{CALLS_KEPT, CallState, Caller, Calls};
pub use deliver::{Deliver, DeliverError, Delivered, Parcel};
pub use kinds::{Build, BuildContext, BuildProblem, Connector, Mode, Secrets, SourceKind};
pub use pull::{Ask, Feed, Finding, FolderReport, Intake, IntakeError, Pull, PullError, PullReport, PullState};
pub use push::{
    Challenge, Explanation, Fetch, Known, Missing, NoFetch, Outcome, Parsed, Part, PathToken, Push, PushLimits, Refusal, Reply,
    Request, Script, Supplied, Told, Who,
};
pub use store::{Act, Beat, NewToken, Refusals, Restored, Store, StoreError, Sweep, source_lease};
pub use talks::{
    Account, CHATS_KEPT, Campaign, ChatState, Fetched, MOST_CAMPAIGNS, MOST_TRIES, NewReply, Redeemed, TRIES_COUNT_FOR, Talks,
};

/// A boxed error at the end of a chain.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
