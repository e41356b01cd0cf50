//! The command from outside, one program for all tests: see each module.

mod behaviour;
mod generated;
mod support;
mod transcripts;
