//! Leadgate's ways out: mail by SMTP and signed webhooks. What is owed to whom is the core's to say and the server's to drive;
//! here is how it is put into words and sent.

pub mod mail;
pub mod webhook;
