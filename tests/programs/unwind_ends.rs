//! A panic that comes to a function of C's calling convention ends the program, though it could be caught further out.
//@ unwind
struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        println!("dropped");
    }
}

extern "C" fn must_not_unwind(fail: bool) -> i32 {
    let _held = Held;
    if fail {
        panic!("out of a C function");
    }
    5
}

fn main() {
    std::panic::set_hook(Box::new(|info| {
        println!("panic: {}", info.payload().downcast_ref::<&str>().copied().unwrap_or("a message"));
    }));
    println!("{}", must_not_unwind(false));
    let caught = std::panic::catch_unwind(|| must_not_unwind(true));
    println!("not reached: {}", caught.is_err());
}
