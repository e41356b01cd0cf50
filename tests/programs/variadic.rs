//! Variadic functions: defined here and called, called from wasi-libc, lists handed on and copied.
#![feature(c_variadic)]
use std::ffi::{CStr, VaList, c_char, c_int};

/// Describes arguments by a letter each: `i` int, `l` long long, `d` double, `p` pointer to text, `u` unsigned.
unsafe extern "C" fn describe(kinds: *const c_char, mut args: ...) -> c_int {
    // SAFETY: the callers hand a C string, and the arguments that it describes.
    unsafe {
        let kinds = CStr::from_ptr(kinds).to_str().unwrap();
        println!("{kinds}:");
        let mut copy = args.clone();
        let count = list(kinds, &mut args);
        if kinds.starts_with('i') {
            println!("  again {}", copy.arg::<c_int>());
        }
        count
    }
}

unsafe fn list(kinds: &str, args: &mut VaList) -> c_int {
    for kind in kinds.chars() {
        // SAFETY: as above.
        unsafe {
            match kind {
                'i' => println!("  {}", args.arg::<c_int>()),
                'u' => println!("  {}", args.arg::<u32>()),
                'l' => println!("  {}", args.arg::<i64>()),
                'd' => println!("  {}", args.arg::<f64>()),
                _ => println!("  {:?}", CStr::from_ptr(args.arg::<*const c_char>())),
            }
        }
    }
    kinds.len() as c_int
}

/// A result through a hidden pointer, before everything else.
#[repr(C)]
#[derive(Debug)]
struct Sums {
    ints: i64,
    doubles: f64,
}

unsafe extern "C" fn sums(pairs: c_int, scale: f64, mut args: ...) -> Sums {
    let mut sums = Sums { ints: 0, doubles: 0.0 };
    for _ in 0..pairs {
        // SAFETY: the callers hand as many pairs as they say.
        unsafe {
            sums.ints += i64::from(args.arg::<c_int>());
            sums.doubles += scale * args.arg::<f64>();
        }
    }
    sums
}

unsafe extern "C" {
    fn snprintf(buffer: *mut c_char, size: usize, format: *const c_char, ...) -> c_int;
    fn vsnprintf(buffer: *mut c_char, size: usize, format: *const c_char, args: VaList) -> c_int;
    fn sscanf(text: *const c_char, format: *const c_char, ...) -> c_int;
}

/// Hands its list on to C.
unsafe extern "C" fn formatted(format: *const c_char, args: ...) {
    let mut buffer = [0u8; 200];
    // SAFETY: the buffer is as large as said.
    unsafe { vsnprintf(buffer.as_mut_ptr().cast(), buffer.len(), format, args) };
    println!("{:?}", CStr::from_bytes_until_nul(&buffer).unwrap());
}

fn main() {
    // SAFETY: every call hands what its first argument says.
    unsafe {
        println!("{}", describe(c"".as_ptr()));
        println!("{}", describe(c"il".as_ptr(), -1, -2i64));
        println!("{}", describe(c"lidpu".as_ptr(), i64::MIN, 7, 2.5f64, c"text".as_ptr(), u32::MAX));
        let through: unsafe extern "C" fn(*const c_char, ...) -> c_int = describe;
        println!("{}", std::hint::black_box(through)(c"ddd".as_ptr(), 0.5f64, -0.0f64, f64::INFINITY));
        println!("{:?}", sums(3, 0.5, 1, 2.0f64, -10, 4.0f64, 100, 8.0f64));
        let mut buffer = [0u8; 100];
        let format = c"%d|%5.2f|%s|%lld|%c|%x";
        let length = snprintf(buffer.as_mut_ptr().cast(), 100, format.as_ptr(), -5, 3.14159f64, c"abc".as_ptr(), i64::MAX, 65, 255);
        println!("{length} {:?}", CStr::from_bytes_until_nul(&buffer).unwrap());
        formatted(c"%lld %s %g".as_ptr(), 1i64 << 40, c"between".as_ptr(), 1e100f64);
        let (mut a, mut b, mut c) = (0 as c_int, 0.0f64, 0i64);
        let found = sscanf(c"17 2.75 -9000000000".as_ptr(), c"%d %lf %lld".as_ptr(), &mut a, &mut b, &mut c);
        println!("{found} {a} {b} {c}");
    }
}
