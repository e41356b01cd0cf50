//! Discovery and set-up on machines that are made of fake tools.
#![cfg(unix)]

mod discovery;
mod machine;
mod making;
