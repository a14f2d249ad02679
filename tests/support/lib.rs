//! What Leadgate's tests and benchmarks share: a gateway to talk to, and where things lie.

pub mod client;
pub mod cluster;
pub mod cpu;
pub mod dovecot;
pub mod gateway;
pub mod load;
pub mod mail;
pub mod people;
pub mod postgres;
pub mod receiver;
pub mod s3;
pub mod smtp;
pub mod telegram;
