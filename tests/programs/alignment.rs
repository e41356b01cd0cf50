//! Values that are aligned to more than a frame is: as locals, arguments, results, captures, in recursion and on the heap.
use std::hint::black_box;

macro_rules! aligned {
    ($($name:ident $align:literal)*) => {
        $(
            #[repr(align($align))]
            #[derive(Clone, Copy, Debug, PartialEq)]
            struct $name(u8);

            impl $name {
                fn check(&self) -> bool {
                    black_box(&raw const *self as usize) % $align == 0
                }

                fn next(self) -> $name {
                    let local = black_box($name(self.0.wrapping_add(1)));
                    assert!(local.check() && self.check());
                    local
                }

                fn deep(self, depth: u32, odd: &mut Vec<u8>) -> bool {
                    let bytes = black_box([depth as u8; 3]);
                    let local = black_box(self.next());
                    odd.extend(bytes);
                    let below = depth == 0 || local.deep(depth - 1, odd);
                    below && local.check() && self.check() && bytes == [depth as u8; 3]
                }
            }

            let mut array = black_box([$name(1), $name(2), $name(3)]);
            array.sort_by_key(|item| std::cmp::Reverse(item.0));
            let boxed = Box::new(array[0].next());
            let captured = $name(9);
            let closure = move |add: u8| black_box(&captured).check() && captured.0 + add == 10;
            let mut list: Vec<$name> = (0..50).rev().map($name).collect();
            list.sort_by(|a, b| a.0.cmp(&b.0));
            println!(
                "{} {:?} {} {} {} {} {}",
                $align, array, array.iter().all($name::check), boxed.check(), closure(1), $name(7).deep(5, &mut Vec::new()),
                list.iter().all($name::check),
            );
        )*
    };
}

fn main() {
    aligned! {
        A8 8
        A16 16
        A32 32
        A64 64
        A256 256
        A4096 4096
    }
}
