//! What fuzzing found: inputs that once made a reader, the validator or the linker panic, each made by hand.

use wasmir::*;

/// A function without parameters and results, with `change` done to its body.
fn with_body(change: impl FnOnce(&mut BodyBuilder)) -> Module {
    let mut m = Module::new();
    let ty = m.types.intern_func(FuncType::new([], []));
    let mut b = BodyBuilder::new(&[]);
    let entry = b.block();
    b.switch_to(entry);
    change(&mut b);
    m.funcs.push(FuncData {
        ty,
        import: None,
        symbol: Symbol::default(),
        body: FuncBody::Ir(Box::new(b.finish())),
    });
    m
}

/// The first violation's message.
fn refused(m: &Module) -> String {
    let errors = verify_module(m).expect_err("the module is invalid");
    errors[0].message.clone()
}

#[test]
fn more_parameters_than_locals() {
    let m = with_body(|b| {
        b.body_mut().num_params = 1;
        b.ret(&[]);
    });
    assert_eq!(refused(&m), "its parameters are not those of its type");
}

#[test]
fn a_local_that_does_not_exist_beside_one_that_must_be_assigned() {
    let m = with_body(|b| {
        b.local(Type::Ref(RefType {
            nullable: false,
            heap: HeapType::Abstract {
                shared: false,
                kind: AbstractHeap::Extern,
            },
        }));
        b.push(Inst::Copy {
            dst: Local::from_u32(93),
            src: Local::from_u32(94),
        });
        b.ret(&[]);
    });
    assert_eq!(refused(&m), "there is no `l93`");
}
