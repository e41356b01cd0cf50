//! Enums: niches, explicit discriminants, 128-bit ones, nested options, matching on slices and strings.
use std::hint::black_box;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
enum Small {
    Minus = -5,
    Zero = 0,
    Big = 100,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Empty,
    Circle(f64),
    Rect { w: u32, h: u32 },
    Named(String, Option<Box<Shape>>),
}

fn area(shape: &Shape) -> f64 {
    match shape {
        Shape::Empty => 0.0,
        Shape::Circle(r) => 3.0 * r * r,
        Shape::Rect { w, h } => f64::from(w * h),
        Shape::Named(_, inner) => inner.as_deref().map_or(-1.0, area),
    }
}

fn classify(s: &[u8]) -> &'static str {
    match s {
        [] => "empty",
        [b'a', .., b'z'] => "a to z",
        [x] if x.is_ascii_digit() => "digit",
        [_, rest @ ..] => if rest.len() > 3 { "long" } else { "short" },
    }
}

fn dense(n: u64) -> u32 {
    match n { 0 => 3, 1 => 1, 2 => 4, 3 => 1, 4 => 5, 5 => 9, 0x1_0000_0000 => 7, _ => 0 }
}

fn main() {
    for s in black_box([Small::Minus, Small::Zero, Small::Big]) {
        println!("{s:?} {}", s as i8);
    }
    println!("{:?}", Small::Minus.cmp(&Small::Big));
    let shapes = [
        Shape::Empty,
        Shape::Circle(2.0),
        Shape::Rect { w: 3, h: 4 },
        Shape::Named("n".into(), Some(Box::new(Shape::Rect { w: 1, h: 1 }))),
        Shape::Named("none".into(), None),
    ];
    for shape in &shapes {
        println!("{shape:?} {}", area(shape));
    }
    let nested: [Option<Option<bool>>; 4] = [None, Some(None), Some(Some(false)), Some(Some(true))];
    println!("{:?} {}", black_box(nested), size_of::<Option<Option<bool>>>());
    let chars = [Some('a'), None, char::from_u32(0x10ffff)];
    println!("{:?}", black_box(chars));
    for text in ["", "abz", "7", "hello", "hey"] {
        println!("{}", classify(black_box(text.as_bytes())));
    }
    for n in [0, 1, 2, 3, 4, 5, 6, 0x1_0000_0000, 0x1_0000_0001] {
        print!("{} ", dense(black_box(n)));
    }
    println!();
}
