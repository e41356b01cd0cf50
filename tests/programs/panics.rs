//! A panic prints its message and place, then the program ends by a trap.
fn checked(values: &[u32], index: usize) -> u32 {
    values[index]
}

fn main() {
    println!("before");
    let index = std::env::args().count() + 7;
    println!("{}", checked(&[1, 2, 3], index));
}
