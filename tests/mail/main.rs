//! Mailboxes on a real mail server: Dovecot, whose processes are killed, frozen and started anew while the gateway reads.

mod server;
