//! Calls: what providers of telephony send, signed by their own libraries, against the whole gateway.
//!
//! `signer.py` signs, in a process of its own, with the libraries of `requirements.txt`; what a provider that signs nothing sends is
//! written down here. Nothing of the gateway's own code takes part in making a callback.

mod clouds;
mod commands;
mod numbers;
mod open;
mod own;
mod pbxs;
mod played;
mod presets;
mod several;
mod signed;
mod signer;
mod trouble;
mod who;
mod whole;
