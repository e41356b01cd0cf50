//! Foreign statics with weak linkage: the address of a symbol that may not exist.
#![feature(linkage)]

unsafe extern "C" {
    #[linkage = "extern_weak"]
    static no_library_defines_this: Option<&'static u32>;
    #[linkage = "extern_weak"]
    static defined_below: *const u32;
}

/// Declared here, and again in a function.
mod elsewhere {
    #[unsafe(no_mangle)]
    static mut defined_below: u32 = 42;
}

fn declared_again() -> u32 {
    unsafe extern "C" {
        static defined_below: u32;
    }
    // SAFETY: it is there, and nothing writes to it.
    unsafe { defined_below }
}

#[linkage = "weak"]
#[unsafe(no_mangle)]
extern "C" fn may_be_replaced() -> u32 {
    7
}

fn main() {
    // SAFETY: what is there has the type it is declared with.
    unsafe {
        println!("{:?}", no_library_defines_this);
        println!("{:?} {}", defined_below.as_ref(), declared_again());
    }
    println!("{}", may_be_replaced());
}
