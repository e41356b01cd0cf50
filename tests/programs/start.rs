//! Functions that run before `main`, in the order of their priorities.
use std::sync::Mutex;

static LOG: Mutex<Vec<&str>> = Mutex::new(Vec::new());

extern "C" fn first() {
    LOG.lock().unwrap().push("first");
}

extern "C" fn second() {
    LOG.lock().unwrap().push("second");
}

extern "C" fn last() {
    LOG.lock().unwrap().push("last");
}

#[used]
#[unsafe(link_section = ".init_array")]
static LAST: extern "C" fn() = last;

#[used]
#[unsafe(link_section = ".init_array.00200")]
static SECOND: extern "C" fn() = second;

#[used]
#[unsafe(link_section = ".init_array.00100")]
static FIRST: [extern "C" fn(); 1] = [first];

/// Not code, but a section of the module's own.
#[used]
#[unsafe(link_section = "notes")]
static NOTES: [u8; 4] = *b"note";

fn main() {
    println!("{:?}", LOG.lock().unwrap());
}
