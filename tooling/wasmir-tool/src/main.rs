//! The wasmir debugging tool: parse, print, verify, link, lift, optimise, generate and run
fn main() {}
