//! Leadgate as its users meet it: the real binary, real sockets, real files, a real browser.

mod acme;
mod answers;
mod api;
mod attachments;
mod backup;
mod browser;
mod captcha;
mod cli;
mod copy;
mod disk;
mod first_minute;
mod forms;
mod hostile;
mod keeping;
mod mapping;
mod onward;
mod onward_mail;
mod outbox;
mod people;
mod proxy;
mod replay;
mod samples;
mod several;
mod snippet;
mod telegram;
mod tilda;
