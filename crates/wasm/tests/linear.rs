//! Linear types at run time: no size, no drop, and lists that are consumed whole.

use std::cell::Cell;
use std::rc::Rc;
use wasm::linear::{Linear, Token, assert_none, consume_each};

#[wasm::linear]
struct Job {
    order: Rc<Cell<u32>>,
    number: u32,
    open: Token<Self>,
}

impl Job {
    fn new(order: &Rc<Cell<u32>>, number: u32) -> Self {
        Self {
            order: order.clone(),
            number,
            open: Token::new(),
        }
    }

    #[wasm::consume]
    fn finish(self) {
        let Self {
            order,
            number,
            open,
        } = self;
        open.consume();
        order.set(order.get() * 10 + number);
    }
}

#[test]
fn tokens_and_handles_cost_nothing() {
    assert_eq!(size_of::<Token<Job>>(), 0);
    assert_eq!(size_of::<wasm::Handle>(), size_of::<u32>());
    assert_eq!(size_of::<Option<Token<Job>>>(), 1);
    assert_eq!(
        format!(
            "{:?}",
            wasm::Handle::<wasm::Unnamed>::from_raw(4).into_raw()
        ),
        "4"
    );
    assert!(Job::LOST.starts_with("a value of the linear type `Job` is lost"));
    assert!(Job::LOST.contains("tests/linear.rs:8:8"), "{}", Job::LOST);
}

#[test]
fn lists_are_consumed_in_order_and_their_memory_is_freed() {
    let order = Rc::new(Cell::new(0));
    consume_each(
        (1..=3).map(|number| Job::new(&order, number)).collect(),
        Job::finish,
    );
    assert_eq!(order.get(), 123);
    assert_eq!(Rc::strong_count(&order), 1, "no job holds it any more");
    consume_each(Vec::new(), Job::finish);
    assert_eq!(order.get(), 123);
}

#[test]
fn a_consumer_that_panics_leaves_the_rest_unconsumed() {
    let order = Rc::new(Cell::new(0));
    let jobs: Vec<Job> = (1..=3).map(|number| Job::new(&order, number)).collect();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        consume_each(jobs, |job| {
            let number = job.number;
            job.finish();
            assert!(number != 2, "stop");
        });
    }));
    assert!(result.is_err());
    assert_eq!(order.get(), 12, "the third is neither consumed nor dropped");
    assert_eq!(Rc::strong_count(&order), 2);
}

#[test]
#[should_panic(expected = "an option that must be empty holds a linear value")]
fn an_option_that_holds_a_value_is_not_empty() {
    assert_none(Some(Job::new(&Rc::default(), 1)));
}

#[test]
fn an_empty_option_is_empty() {
    assert_none(None::<Job>);
}
