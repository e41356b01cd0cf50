//! Discovery and set-up on machines that are made of fake tools.
#![cfg(unix)]

mod discovery;
mod front_end;
mod machine;
mod making;
