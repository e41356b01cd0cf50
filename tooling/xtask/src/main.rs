//! What a contributor runs: benchmarks, fetching of test data, fuzzing, checks of the tree
fn main() {}
