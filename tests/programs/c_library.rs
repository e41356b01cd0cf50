//! C code of wasi-libc: callbacks, structures as arguments and results, `long double`, text and conversions.
use std::cmp::Ordering;
use std::ffi::{CStr, c_char, c_double, c_int, c_long, c_longlong, c_void};

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Div {
    quot: c_int,
    rem: c_int,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct LongDiv {
    quot: c_longlong,
    rem: c_longlong,
}

#[repr(C)]
#[derive(Debug, Default)]
struct Time {
    sec: c_int,
    min: c_int,
    hour: c_int,
    mday: c_int,
    mon: c_int,
    year: c_int,
    wday: c_int,
    yday: c_int,
    isdst: c_int,
    gmtoff: c_int,
    zone: usize,
    nsec: c_int,
}

/// `double _Complex` as C passes it: its two parts in memory.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Complex {
    re: c_double,
    im: c_double,
}

type Compare = unsafe extern "C" fn(*const c_void, *const c_void) -> c_int;

unsafe extern "C" {
    fn qsort(base: *mut c_void, count: usize, size: usize, compare: Compare);
    fn bsearch(key: *const c_void, base: *const c_void, count: usize, size: usize, compare: Compare) -> *const c_void;
    fn div(a: c_int, b: c_int) -> Div;
    fn lldiv(a: c_longlong, b: c_longlong) -> LongDiv;
    fn strtol(text: *const c_char, end: *mut *const c_char, base: c_int) -> c_long;
    fn strtod(text: *const c_char, end: *mut *const c_char) -> c_double;
    fn strspn(text: *const c_char, accept: *const c_char) -> usize;
    fn frexp(value: c_double, exponent: *mut c_int) -> c_double;
    fn ldexpf(value: f32, exponent: c_int) -> f32;
    fn remquo(a: c_double, b: c_double, quotient: *mut c_int) -> c_double;
    fn gmtime_r(time: *const c_longlong, result: *mut Time) -> *mut Time;
    fn timegm(time: *mut Time) -> c_longlong;
    fn toupper(c: c_int) -> c_int;
    fn cabs(z: Complex) -> c_double;
}

/// How often C called back.
static mut CALLS: u32 = 0;

unsafe extern "C" fn by_length(a: *const c_void, b: *const c_void) -> c_int {
    // SAFETY: the arrays handed to C hold text, and there is one thread.
    let (a, b) = unsafe {
        CALLS += 1;
        (*a.cast::<&str>(), *b.cast::<&str>())
    };
    match a.len().cmp(&b.len()).then(a.cmp(b)) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

fn main() {
    let mut words = ["wasm", "is", "a", "binary", "format", "for", "a", "stack", "machine"];
    // SAFETY: sizes and types are those that the functions are declared with in C.
    unsafe {
        qsort(words.as_mut_ptr().cast(), words.len(), size_of::<&str>(), by_length);
        println!("{words:?} {}", CALLS > 8);
        let key = "stack";
        let found = bsearch((&raw const key).cast(), words.as_ptr().cast(), words.len(), size_of::<&str>(), by_length);
        println!("{:?}", found.cast::<&str>().as_ref());
        println!("{:?} {:?}", div(-17, 5), lldiv(i64::MIN, 1_000_000_007));
        let mut end = std::ptr::null();
        let text = c"-0x7fz rest";
        println!("{} {:?}", strtol(text.as_ptr(), &mut end, 16), CStr::from_ptr(end));
        println!("{:e} {:?}", strtod(c"6.02214076e23mol".as_ptr(), &mut end), CStr::from_ptr(end));
        println!("{}", strspn(c"aabbc".as_ptr(), c"ab".as_ptr()));
        let mut exponent = 0;
        println!("{} {exponent}", frexp(std::hint::black_box(-48.0), &mut exponent));
        println!("{exponent} {}", ldexpf(0.75, -3));
        let mut quotient = 0;
        println!("{} {}", remquo(29.0, 3.0, &mut quotient), { quotient });
        let mut time = Time::default();
        gmtime_r(&1_700_000_000, &mut time);
        println!("{}-{}-{} {}:{}:{} day {}", time.year + 1900, time.mon + 1, time.mday, time.hour, time.min, time.sec, time.yday);
        println!("{}", timegm(&mut time));
        println!("{}", char::from(toupper(c_int::from(b'q')) as u8));
        println!("{}", cabs(Complex { re: 3.0, im: -4.0 }));
    }
}
