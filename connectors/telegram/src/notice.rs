//! A lead as a message.
