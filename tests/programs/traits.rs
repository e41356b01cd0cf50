//! Trait objects, upcasting, closures, generics, drops in order, iterators and function pointers.
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::{self, Debug, Display};
use std::rc::Rc;

trait Animal: Debug {
    fn name(&self) -> String;
    fn legs(&self) -> u32 {
        4
    }
}
#[derive(Debug)]
struct Cat(u8);
#[derive(Debug)]
struct Bird;
impl Animal for Cat {
    fn name(&self) -> String {
        format!("cat{}", self.0)
    }
}
impl Animal for Bird {
    fn name(&self) -> String {
        "bird".into()
    }
    fn legs(&self) -> u32 {
        2
    }
}

struct Loud(&'static str);
impl Drop for Loud {
    fn drop(&mut self) {
        println!("drop {}", self.0);
    }
}

struct Matrix<const N: usize>([[i64; N]; N]);
impl<const N: usize> Display for Matrix<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.0 {
            writeln!(f, "{row:?}")?;
        }
        Ok(())
    }
}

fn compose<A, B, C>(f: impl Fn(A) -> B, g: impl Fn(B) -> C) -> impl Fn(A) -> C {
    move |x| g(f(x))
}

fn main() {
    let zoo: Vec<Box<dyn Animal>> = vec![Box::new(Cat(3)), Box::new(Bird)];
    println!("{} {}", zoo.iter().map(|a| a.legs()).sum::<u32>(), zoo[1].name());
    let debug: &dyn Debug = &*zoo[0];
    println!("{debug:?}");
    let _guard = Loud("outer");
    {
        let a = Loud("a");
        let _b = Loud("b");
        drop(a);
        println!("inner end");
    }
    let add = |x: i32| x + 1;
    println!("{}", compose(add, |x| format!("<{x}>"))(41));
    let ops: [fn(i32, i32) -> i32; 3] = [i32::wrapping_add, i32::wrapping_mul, |a, b| a - b];
    println!("{:?}", ops.map(|f| f(6, 7)));
    let mut counter = 0;
    let mut bump = || {
        counter += 2;
        counter
    };
    println!("{} {}", bump(), bump());
    print!("{}", Matrix([[1, 2], [3, 4]]));
    let mut words: HashMap<String, usize> = HashMap::new();
    for word in "a b a c b a".split(' ') {
        *words.entry(word.to_owned()).or_default() += 1;
    }
    let sorted: BTreeMap<_, _> = words.into_iter().collect();
    println!("{sorted:?}");
    let mut queue: VecDeque<u32> = (0..10).collect();
    queue.rotate_left(3);
    let evens: Vec<_> = queue.iter().rev().filter(|n| *n % 2 == 0).zip("abcde".chars()).collect();
    println!("{evens:?}");
    let shared = Rc::new(String::from("shared"));
    let other = Rc::clone(&shared);
    println!("{} {}", Rc::strong_count(&shared), other.to_uppercase());
    let mut text = vec!["pear", "fig", "apple", "date"];
    text.sort_by_key(|s| (s.len(), *s));
    println!("{}", text.join(","));
    println!("{:?}", "größe".char_indices().collect::<Vec<_>>());
    println!("{:>8}|{:<8}|{:^8}|{:#x}|{:08.3}", "r", "l", "c", 255, 3.14159);
}
