use ledger::Plain;

struct Wrapper(Plain);

pub fn f(plain: Plain) -> u32 {
    unsafe { std::mem::transmute(Wrapper(plain)) }
}
